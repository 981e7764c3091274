"""How the pages of accounts say why something was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.web.console.filters import N_

if TYPE_CHECKING:
    from gateway.desk.refused import DeskRefused
    from gateway.web.console.visit import Visit

WORDS = {
    "sign_in": N_("Login, password or code is wrong. Each code is taken once: wait for the next one."),
    "wait": N_("Too many tries: wait %(seconds)s seconds and try again."),
    "code": N_("This code is wrong or was used before: take the next one."),
    "no_code": N_("This code does not hold: it is mistyped, used or too old. Ask for another one."),
    "no_factor": N_("You have no second factor yet: set one up on the page of your account."),
    "no_offer": N_("There is no new second factor to confirm: begin again."),
    "password": N_("The current password is wrong."),
    "password_length": N_(
        "A password has %(shortest)s to %(longest)s characters; %(advised)s or more are better."
    ),
    "password_guessed": N_(
        "This password is among the first that are tried: take several words that do not belong together."
    ),
    "login": N_("A login is 1 to 64 of the letters a-z and A-Z, digits or . _ @ + -"),
    "login_taken": N_("%(login)s works here already: take another login."),
    "name": N_("A name is one line of text and not empty."),
    "oidc": N_("Signing in by way of the provider did not work. It has been logged; sign in here instead."),
    "oidc_nobody": N_("The provider knows you, but you do not work at this desk. Ask an administrator."),
    "no_session": N_("This session is over already."),
    "no_person": N_("%(login)s does not work at this desk."),
    "machine": N_("%(login)s is a source or a partner, which does not sign in."),
    "has_account": N_("%(login)s can sign in already: give a reset code instead."),
    "no_account": N_("%(login)s has no account yet: give an invitation instead."),
}
"""Code of a refusal -> its sentence."""


def words(visit: Visit, error: DeskRefused) -> str:
    """Return the sentence of a refusal in the language of the visit."""
    sentence = WORDS.get(error.code)
    return visit.say(sentence, **error.values) if sentence else error.sentence
