"""`feature-service validate`: a file of any size judged by a suite, batch by batch.

    file --source--> batches of Arrow columns --columns--> Frames --run--> Outcomes --table--> lines

The checks are those of `service.suites`, and the frame is the one that pandas makes of the file. A first pass takes the
census of the columns, because a column's dtype depends on all of its values; the second one validates. What a check has to
remember of each row is kept in arrays (`figures`, `fingerprints`, `tallies`). What can't be told exactly like this goes to
Great Expectations (`exactness`, `fallback`).
"""
