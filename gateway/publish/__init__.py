"""Out to partners: signed CAP of public releases, its index, and outgoing webhooks."""
