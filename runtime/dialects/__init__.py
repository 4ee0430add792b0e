"""Vendors' wire formats, without I/O: a call to an HTTP request, an HTTP answer to an outcome.

`port` is the contract; `openai`, `anthropic` and `gemini` fulfil it.  They share `parameters` (what
a call asks for, and what a model turned out not to take), `errors` (what vendors say instead of an
answer), `outcomes` (the few ways a call ends), `headers`, and `sse` (what streams consist of); what
is said in a stream is put together by `openai_stream`, `anthropic_stream` and `gemini_stream`.
An answer that must meet a schema is asked for by `ladder`, with the schema as `forms` writes it.
"""
