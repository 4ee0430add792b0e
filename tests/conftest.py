"""What holds for every test, whatever starts them and however busy the machine is."""

import signal

from hypothesis import settings

# A shell that starts tests in the background may take the interrupt from them, which some send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# An example that takes long on a busy machine is no failure; one that fails can be repeated.
settings.register_profile("planhub", deadline=None, print_blob=True)
settings.load_profile("planhub")
