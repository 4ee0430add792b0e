"""What is kept on disk: the ledger, the journal of runs, the API keys; one SQLite database.

database.py    finds, makes, migrates and opens it, and keeps a second engine out
sqlite.py      the one who writes while an engine runs: an actor on a thread of its own
writing.py     the ledger's writes as SQL, many rows at a time
steps.py       the rows of a run's journal, and their checksums
recovery.py    what a crash left open is closed
checkpoints.py moves the write-ahead log into the database, beside the writer
journal.py     reading what runs were told, to carry them on or out again
audit.py       recomputes the books; refuses a damaged database
maintenance.py prunes, and makes a backup
reports.py     reading, from any thread or process, and correcting what was uncertain
memory.py      the same actor without a disk, and remembered.py its journal
migrations/    the schema, step by step

What a crash costs.  A reservation is answered as soon as the ledger's leases cover it, before its
own row is durable.  So a call may be on its way of which the database knows nothing but the lease
that covers it.  On the next start every attempt with a row and without an outcome is charged its
full hold, and what is leased beyond that is charged too, under the attempt
`lease:<account>:<month>:<epoch>`.  Both are marked uncertain until `reports.settle_uncertain`
corrects them: rather too much is counted as spent than too little.  A ledger that ends in order
has returned its leases, and nothing is uncertain.  One that runs out of work returns them too: at
once, but for what it used within its last second of work, which stays leased for a second or two.
"""
