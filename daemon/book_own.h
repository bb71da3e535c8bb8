/* book_own.h - what book_db.c and book_spend.c share, and nobody else. */
#ifndef DAEMON_BOOK_OWN_H
#define DAEMON_BOOK_OWN_H
#include <sqlite3.h>
#include "daemon/book.h"

struct book {
    sqlite3      *db;
    sqlite3_stmt *append, *trim, *count, *list;
    sqlite3_stmt *spent, *spend, *sum, *sum_of, *newest;      /* book_spend.c */
};

/* Log SQLite's words for what just failed. E_LIMIT: the disk is full; E_FORMAT: no sound database; E_IO. */
err  book_fail(struct book *b, const char *what);
err  book_run(struct book *b, const char *sql, const char *what);
err  book_prepare(struct book *b, sqlite3_stmt **out, const char *sql);
/* Run a statement that gives no row, and make it ready for the next time. */
err  book_step(struct book *b, sqlite3_stmt *q, const char *what);
/* The statements of the spends. */
err  book_spend_open(struct book *b);
void book_spend_close(struct book *b);

#endif
