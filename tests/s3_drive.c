/* s3_drive - the interface of a store, tried on a real one: `s3_drive NAME WHAT`, where NAME is what [store] store takes. Ends with 0
 * when everything held; test_s3.py starts the server and reads the bucket.
 *
 *   objects N put, get, once only, an aborted put, sizes around the parts, and N small ones to be listed
 *   head      compare and swap
 *   race N    move a counter in the head N times, against others that do the same */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "parent/store_open.h"
#include "parent/store_s3.h"

static void check(int good, const char *what)
{
    if (good) return;
    fprintf(stderr, "s3_drive: does not hold: %s\n", what);
    exit(1);
}

static void done(err e, const char *what) { check(e.code == E_OK, what); }

static uint8_t byte_at(size_t i) { return (uint8_t)(i * 2654435761u >> 13); }

static void put(struct store_backend *s, const char *name, size_t n)
{
    BYTES room = NULL;
    STORE_PUT p = NULL;
    done(mem_new(&room, 1 << 20), "memory");
    done(s->put(s, &p, name), "a put begins");
    for (size_t at = 0; at < n;) {
        const size_t piece = n - at < 1 << 20 ? n - at : 1 << 20;
        for (size_t i = 0; i < piece; i++) room[i] = byte_at(at + i);
        done(p->write(p, room, piece), "a piece is taken");
        at += piece;
    }
    done(p->commit(p), "an object is committed");
}

static void get(struct store_backend *s, const char *name, size_t n)
{
    BYTES room = NULL;
    STORE_GET g = NULL;
    size_t at = 0;
    done(mem_new(&room, 1 << 20), "memory");
    done(s->get(s, &g, name), "a get begins");
    check(g->size == n, "an object has its size");
    for (;;) {
        size_t got;
        done(g->read(g, room, &got, 1 << 20), "an object is read");
        if (got == 0) break;
        for (size_t i = 0; i < got; i++) check(room[i] == byte_at(at + i), "an object has its bytes");
        at += got;
    }
    check(at == n, "all of an object is read");
}

static err count(void *self, const struct store_entry *e)
{
    check(e->size > 0 && e->time > 1600000000, "a listing tells size and time");
    ++*(size_t *)self;
    return OK;
}

static void objects(struct store_backend *s, unsigned many)
{
    static const size_t sizes[] = { 1, 65536, S3_PART - 1, S3_PART, S3_PART + 1, 2 * S3_PART + 12345 };
    char name[40];
    size_t n = 0, removed = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(name, sizeof name, "g%016zx-00000000.pack", i + 1);
        put(s, name, sizes[i]);
        get(s, name, sizes[i]);
    }
    STORE_PUT again = NULL;
    STORE_PUT given_up = NULL;
    STORE_GET none = NULL;
    err e = s->put(s, &again, name);
    if (!e.code) e = again->write(again, "x", 1);
    if (!e.code) e = again->commit(again);
    check(e.code == E_STATE, "an object is written once");
    get(s, name, sizes[5]);
    done(s->put(s, &given_up, "given-up"), "a put begins");
    done(given_up->write(given_up, "x", 1), "a piece is taken");
    store_put_close(&given_up);
    check(s->get(s, &none, "given-up").code == E_ABSENT, "a put that was given up leaves nothing");
    check(s->get(s, &none, "../head").code == E_FORMAT, "a name that is none is refused");
    for (unsigned i = 0; i < many; i++) {
        snprintf(name, sizeof name, "record-%016x", i);
        put(s, name, 3);
    }
    done(s->list(s, count, &n), "a listing of more than one page");
    check(n == many + 6, "a listing shows all of it");
    const char *const gone[] = { "record-0000000000000001", "record-0000000000000002", "not-there" };
    done(s->remove(s, &removed, NULL, 0, gone, 3), "objects are removed");
    check(removed == 2 || removed == 3, "what was removed is counted");      /* S3 answers the same for what is not there */
    check(s->get(s, &none, gone[0]).code == E_ABSENT, "a removed object is gone");
}

static void head(struct store_backend *s)
{
    uint8_t raw[LINK_HEAD_MAX];
    size_t n = 1, removed;
    const char *const name[] = { "record-0000000000000003" };
    done(s->head_get(s, raw, &n), "a head is asked for");
    check(n == 0, "there is no head yet");
    check(s->head_put(s, "other", 5, "one", 3).code == E_STATE, "a head that is not expected is refused");
    done(s->head_put(s, NULL, 0, "one", 3), "the first head");
    check(s->head_put(s, NULL, 0, "two", 3).code == E_STATE, "a first head comes once");
    done(s->head_put(s, "one", 3, "two", 3), "a head moves");
    check(s->head_put(s, "one", 3, "old", 3).code == E_STATE, "an old head does not move it");
    done(s->head_get(s, raw, &n), "a head is asked for");
    check(n == 3 && memcmp(raw, "two", 3) == 0, "the head is the last one");
    check(s->remove(s, &removed, "one", 3, name, 1).code == E_STATE, "nothing is removed under another head");
}

/* Others do the same: each number must be taken by one writer. */
static void race(struct store_backend *s, unsigned times)
{
    for (unsigned won = 0; won < times;) {
        uint8_t raw[LINK_HEAD_MAX + 1];
        char next[32];
        size_t n = 0;
        done(s->head_get(s, raw, &n), "a head is asked for");
        raw[n] = 0;
        snprintf(next, sizeof next, "%lu", n ? strtoul((char *)raw, NULL, 10) + 1 : 1ul);
        const err e = s->head_put(s, raw, n, next, strlen(next));
        check(e.code == E_OK || e.code == E_STATE, "a race is won or lost");
        if (!e.code) {
            puts(next);
            won++;
        }
    }
}

int main(int argc, char **argv)
{
    STORE_BACKEND s = NULL;
    if (argc < 3) return 2;
    log_open("s3_drive", LOG_INFO);
    const struct store_conf conf = { .names = argv[1] };
    done(store_open(&s, &conf, true), "the store opens");
    if (strcmp(argv[2], "objects") == 0 && argc == 4) objects(s, (unsigned)strtoul(argv[3], NULL, 10));
    else if (strcmp(argv[2], "head") == 0) head(s);
    else if (strcmp(argv[2], "race") == 0 && argc == 4) race(s, (unsigned)strtoul(argv[3], NULL, 10));
    else return 2;
    return 0;
}
