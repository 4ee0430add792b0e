"""HTTP: `app` has the paths, `access` who may ask, `replies` how it is answered, `streaming` how
a run is watched, `serving` the server and its end.
"""

from runtime.frontends.http.app import create_app
from runtime.frontends.http.serving import serve

__all__ = ["create_app", "serve"]
