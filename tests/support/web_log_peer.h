/* web_log_peer.h - disk's part about the log, for web_peer.c. */
#ifndef TESTS_SUPPORT_WEB_LOG_PEER_H
#define TESTS_SUPPORT_WEB_LOG_PEER_H
#include <stdbool.h>
#include "core/msg.h"
#include "daemon/wire.h"

enum { PEER_ENTRIES = 8 };                       /* entry i of the log that is played has i + 1 bytes of value i */
struct log_peer {
    bool     held;                               /* keep the question until told otherwise */
    unsigned outcome;                            /* of answers; LOG_OUTCOMES: a malformed one */
    uint16_t seq, type;                          /* of the question that is kept; type 0: none */
    uint64_t from, limit;
};
/* Tell web that there is a log of PEER_ENTRIES, with a checkpoint that says "note". */
void peer_say_log(int fd);
/* Answer a frame about the log; false when it is another. */
bool peer_answer_log(int fd, struct log_peer *l, const struct msg *m);
/* Answer what was kept. */
void peer_log_go(int fd, struct log_peer *l);

#endif
