"""What a hostile parent can do to the store it keeps: a generator for each kind of change. kinds.py has the table; make.py is for people."""
