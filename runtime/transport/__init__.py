"""The way of bytes to vendors, behind the one port in `port`.

`httpx_transport` reaches real ones.  `simulated` is a vendor in process, which says what
`simulated_texts` and `instances` make up.
"""
