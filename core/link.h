/* link.h - what the enclave says to its parent, byte for byte (docs/wire.md).
 *
 * Every connection is opened by the enclave and carries msg.h frames. The first
 * frame is LINK_HELLO and says what the connection is for; the parent answers
 * LINK_READY or MSG_ERROR. The parent believes nothing it stores and is believed
 * in nothing it returns: everything is authenticated by the enclave.
 *
 * A STORE connection then carries one request at a time, each answered before
 * the next is sent. Objects are written once and never changed; the head is the
 * only thing that moves, and it moves atomically. An object is durable when its
 * LINK_PUT_END is answered, the head when LINK_HEAD_PUT is.
 *
 * A WITNESS connection is about the service's log, whose entries the parent has: take a checkpoint to the witnesses, give entries,
 * prove. What comes back is for the enclave, or for whom it hands it to, to verify.
 *
 * An EGRESS connection becomes, after LINK_READY, a plain byte pipe to host:port,
 * if the parent's allowlist has it. TLS inside it ends in the enclave. */
#ifndef CORE_LINK_H
#define CORE_LINK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum { LINK_VERSION = 1, LINK_STORE = 1, LINK_EGRESS = 2, LINK_WITNESS = 3 };
enum {
    LINK_NAME_MAX = 96,              /* an object's name: [a-z0-9][a-z0-9.-]*                */
    LINK_HEAD_MAX = 1024,            /* the head's bytes, opaque to the parent but for size   */
    LINK_PIECE    = 1u << 20,        /* object bytes in one LINK_DATA, at most                */
    LINK_NOTE_MAX = 64 << 10,        /* a checkpoint with its signatures                      */
    LINK_COSIGNATURES = 64,          /* in one LINK_ANCHORED, at most                         */
    LINK_COSIGNATURE  = 4 + 8 + 64,  /* u32 key id, u64 time, Ed25519 signature               */
    LINK_ANCHORED_MAX = 8 + 4 + LINK_COSIGNATURES * LINK_COSIGNATURE,
    LINK_ENTRIES      = 1000,        /* entries of the log in one LINK_LOG_ENTRIES, at most   */
    LINK_ENTRIES_MAX  = 768 << 10,   /* its bytes, at most: in base64, a MiB                  */
    LINK_PROOF_MAX    = 4 + 63 * 32
};
enum link_type {
    LINK_HELLO = 0x0100,   /* u16 version, u16 purpose; EGRESS: u16 port, var host (<= 253)  */
    LINK_READY,            /* empty                                                          */
    LINK_HEAD_GET,         /* empty -> LINK_HEAD: u8 present, var bytes                      */
    LINK_HEAD,
    LINK_HEAD_PUT,         /* var expected (empty: no head yet), var new -> LINK_DONE; E_STATE if the head is another */
    LINK_PUT,              /* var name -> nothing; E_STATE at LINK_PUT_END if it exists      */
    LINK_DATA,             /* 1..LINK_PIECE bytes, of the object being put or got             */
    LINK_PUT_END,          /* u64 total size -> LINK_DONE once durable                        */
    LINK_GET,              /* var name -> LINK_DATA*, then LINK_GET_END; or MSG_ERROR E_ABSENT */
    LINK_GET_END,          /* u64 total size                                                  */
    LINK_LIST,             /* empty -> LINK_LISTED                                            */
    LINK_LISTED,           /* u32 objects held, u8 head present                               */
    LINK_DONE,             /* empty                                                           */
    LINK_ANCHOR,           /* u32 deadline in ms, var checkpoint note, var name of the log's tail -> LINK_ANCHORED; E_ABSENT: no witnesses at the parent */
    LINK_ANCHORED,         /* u64 largest size that a witness told it has of another log, not below the checkpoint's, or the checkpoint's own where it has another beginning (0: none), u32 n, n x LINK_COSIGNATURE */
    LINK_LOG_READ,         /* u64 from, u32 limit (1..LINK_ENTRIES), var name of the log's tail -> LINK_LOG_ENTRIES */
    LINK_LOG_ENTRIES,      /* u32 n, n x var entry: from `from` on, as many as fit; none behind the log's end */
    LINK_LOG_PROVE,        /* u8 LINK_PROVE_*, u64 old size | index, u64 size, var name of the log's tail -> LINK_LOG_PROOF */
    LINK_LOG_PROOF         /* u32 n, n x 32 hash, the lowest first                           */
};
enum { LINK_PROVE_GROWTH, LINK_PROVE_ENTRY, LINK_PROVES };

/* True for a name the store accepts. */
bool link_name_ok(const char *name, size_t len);
/* Say hello on a fresh connection and wait for the answer. `host` only for LINK_EGRESS.
 * Fails: E_DENIED (not on the allowlist), E_CLOSED, E_TIMEOUT, E_FORMAT. */
err  link_hello(int fd, uint16_t purpose, const char *host, uint16_t port, int deadline_ms);

#endif
