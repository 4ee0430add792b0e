"""For tests, of planhub and of what is built on it: a vendor that answers from a script.

    with ScriptedVendor("openai") as vendor:
        vendor.answers([Reply("first"), Reply(status=500), Reply("third")])
        ...  # anything that calls vendor.url with vendor.api_key
        assert [call.body["model"] for call in vendor.calls] == [...]

It is a real HTTP server on the loopback interface, in a thread of its own, and as strict about
requests as the vendors are.

:mod:`runtime.testing.simulation` tries all actors with every kind of fault,
:mod:`runtime.testing.calibrated` what their verdicts are worth.
"""

from runtime.testing.scripts import Reply, Script, echo, judging
from runtime.testing.server import ScriptedVendor
from runtime.testing.wire import RecordedCall

__all__ = ["RecordedCall", "Reply", "Script", "ScriptedVendor", "echo", "judging"]
