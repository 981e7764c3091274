"""Administration: people and their rights, authorisations, deputies, duty, keys, the audit log, settings."""

from gateway.web.console.admin import (
    absences,
    audit_log,
    authorisations,
    duty,
    overview,
    partner_keys,
    people,
    sessions,
    settings,
    shown,
)
from gateway.web.console.routing import Routes

routes = Routes(
    route
    for page in (
        overview,
        people,
        sessions,
        shown,
        authorisations,
        absences,
        duty,
        partner_keys,
        audit_log,
        settings,
    )
    for route in page.routes
)
