"""Studies: the rows of a published table, trained again and compared with what it reports."""
