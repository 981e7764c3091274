"""How people of the desk sign in: passwords, second factors, invitations and sessions.

There is no default account: the first start prints a one-time code (:mod:`invitations`). Sessions are
kept on the server (:mod:`sessions`); a cookie holds nothing but a random token, of which the database
keeps the SHA-256. What a person may do is read anew with each request, so that whoever is disabled is
out with the next click.
"""
