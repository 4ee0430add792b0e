"""The way of bytes to vendors, behind the one port in `port`.

`reactor` reaches real ones at little cost; `httpx_transport` reaches those that are reached in an
unusual way, by a proxy for one.  `simulated` is a vendor in process, which says what
`simulated_texts` and `instances` make up.
"""
