"""HTTP: `app` has the paths, and `planning` the one that counts, `POST /v1/plan`; `access` who may
ask, `reading` and `replies` how it is asked and answered, `leaving` who does not wait for it,
`streaming` who watches; `serving` the server and its end, `connection` what it writes to.
"""

from runtime.frontends.http.app import create_app
from runtime.frontends.http.serving import serve

__all__ = ["create_app", "serve"]
