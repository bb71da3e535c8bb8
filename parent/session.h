/* session.h - one link connection's frames, answered; no descriptor in sight.
 *
 * The rules of core/link.h for a STORE or WITNESS connection, as a function of the frames:
 * where answers go is the caller's (a socket, a test, the fuzzer). Bytes of every
 * kind are survived; a frame that breaks the rules ends the session. */
#ifndef PARENT_SESSION_H
#define PARENT_SESSION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/link.h"
#include "core/msg.h"
#include "parent/store.h"

enum { HELLO_HOST_MAX = 253, HELLO_MAX = 10 + HELLO_HOST_MAX };

struct hello { uint16_t purpose, port; char host[HELLO_HOST_MAX + 1]; };
/* Read the first frame of a connection. Fails: E_STATE (another frame), E_FORMAT (not well
 * formed, unknown purpose, a host that is no plain name or number), E_DENIED (another version). */
err hello_parse(struct hello *out, const struct msg *m);

/* Where answers go: sends one frame, or fails and so ends the session. */
struct session_out { err (*send)(void *self, uint16_t type, uint16_t seq, const void *body, size_t n); void *self; };

/* What a WITNESS connection asks for. Each fails with what the enclave is to be told; the session goes on.
 * Takes a checkpoint to the witnesses: writes a LINK_ANCHORED's body of out[0..*n). */
struct session_anchor {
    err (*ask)(void *self, uint8_t out[static LINK_ANCHORED_MAX], size_t *n, const char *note, size_t note_len, const char *tail, uint32_t deadline_ms);
    /* Entries of the log: a LINK_LOG_ENTRIES' body of (*out)[0..*n), for free(). `limit` is 1 to LINK_ENTRIES. */
    err (*read)(void *self, uint8_t **out, size_t *n, uint64_t from, uint32_t limit, const char *tail);
    /* A proof about it: a LINK_LOG_PROOF's body of out[0..*n). `what` is a LINK_PROVE_*; `old` is an index where an entry is meant. */
    err (*prove)(void *self, uint8_t out[static LINK_PROOF_MAX], size_t *n, uint8_t what, uint64_t old, uint64_t size, const char *tail);
    void *self;
};

struct session {
    uint16_t purpose;                        /* LINK_STORE or LINK_WITNESS */
    struct store_backend *store;             /* borrowed */
    struct session_anchor anchor;            /* of LINK_WITNESS */
    struct session_out out;
    uint64_t max_object;                     /* bytes of one object, at most */
    uint8_t *piece;                          /* LINK_PIECE bytes for objects on their way out */
    bool putting;                            /* LINK_PUT came, its LINK_PUT_END did not */
    err  put_result;                         /* why the running put fails already; told at its end */
    struct store_put *put;                   /* NULL when it fails already */
    uint64_t put_size;
    char put_name[LINK_NAME_MAX + 1];
    bool head_moved;                         /* a LINK_HEAD_PUT was answered with LINK_DONE; the caller clears it */
};
/* Fails: E_MEMORY. */
err  session_open(struct session *s, struct store_backend *store, struct session_out out, uint64_t max_object);
/* A WITNESS connection's. */
void session_open_witness(struct session *s, struct session_out out, struct session_anchor anchor);
void session_close(struct session *s);       /* an unfinished put leaves no trace */
#define SESSION __attribute__((cleanup(session_close))) struct session

/* Answer one frame. A request that merely fails is answered with MSG_ERROR and OK is returned;
 * after a frame out of order, of an unknown type or not well formed MSG_ERROR is sent and the
 * session is over: E_STATE, E_FORMAT. Fails with what `out` failed with as well. */
err session_on(struct session *s, const struct msg *m);

#endif
