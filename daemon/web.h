/* web.h - the inside of the role `web`: clients on one side, the other roles on the other.
 *
 * One process, one thread, one loop (web.c). A request is collected by libmicrohttpd's callbacks
 * (web_http.c), answered by its route's handler at once, or put in a queue for a peer
 * (web_api.c), sent when a channel to that peer is free, and answered when the peer's answer
 * comes (web_jobs.c); until then its connection is suspended. Nothing here waits for a client,
 * and each channel carries one question at a time.
 *
 *     web.c        the loop, accepting, stopping            web_json.c, web_setup.c, web_sign.c, web_form.c  what clients send
 *     web_http.c   collecting requests, giving answers      web_text.c              what they get
 *     web_jobs.c   queues and channels to the peers         web_api.c, web_attest.c the route table
 *     web_log.c    the service's log
 *     web_papers.c the maintainers' documents
 *     web_judge.c  questions to a judge, and its verdicts
 *     web_secure.c requests that come encrypted: the keeper opens them and seals the answers
 */
#ifndef DAEMON_WEB_H
#define DAEMON_WEB_H
#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/msg.h"
#include "daemon/role.h"
#include "daemon/web_json.h"
#include "daemon/wire.h"
#include "keystore/channel.h"

enum {
    WEB_QUEUE      = 256,              /* requests waiting for one kind of peer, at most              */
    WEB_BODIES     = 64 << 20,         /* bytes of bodies and messages held at once, all clients together */
    WEB_DRAIN      = 16 << 20,         /* bytes of a refused body that are read and thrown away        */
    WEB_STOP_MS    = 5000,             /* for what is begun, when told to stop                         */
    WEB_PEER_MS    = 5000,             /* for a peer to take or finish one frame                       */
    WEB_SLOW       = 4                 /* a whole request may take this many times web_timeout         */
};

struct web;
struct web_request;

/* ---- one request ---- */
struct web_route {
    const char *method, *path;
    size_t      cap;                   /* bytes of body, at most; 0: a body is read and ignored        */
    bool        json;                  /* 415 without a JSON content type                             */
    bool        inner;                 /* may also come over the channel                              */
    void      (*run)(struct web *w, struct web_request *r);
};

struct web_answer {
    int         status;                /* 0: none yet */
    const char *type, *allow;          /* allow: NULL or the value of the header */
    uint8_t    *body;                  /* owned */
    size_t      n;
    bool        retry, close;          /* with Retry-After; and no other request on this connection */
};

struct web_request {
    struct web              *web;
    struct MHD_Connection   *con;
    const struct web_route  *route;    /* NULL: no such path or method */
    uint64_t                 id;       /* random; in X-Request-Id and in the judge's log, as 16 hex digits */
    uint8_t                 *body;     /* until it is read */
    size_t                   len, cap, seen;
    bool                     run, suspended, replied;
    struct web_answer        answer;

    /* A job: the question to a peer, and who reads the answer. */
    uint16_t                 ask, want;
    uint8_t                 *message;
    size_t                   message_len;
    struct web_form          form;     /* of a request to sign; form.kept bytes stand behind the message */
    uint64_t                 until_ms; /* then the client gets 503 */
    err                    (*on_answer)(struct web *w, struct web_request *r, const struct msg *m);
    void                   (*on_late)(struct web *w, struct web_request *r);   /* instead of the 503; may be NULL */
    struct web_request      *next;
    bool                     queued;   /* it is in a queue */

    /* A request that came encrypted (web_secure.c). The keys are the keeper's. */
    uint64_t                 session;  /* the keeper's handle; 0: came in the clear */
    bool                     channel;  /* over the channel, not in the earlier systems' way */
    bool                     sealing;  /* its answer is being encrypted */
    int                      sealed_status;
    const char              *sealed_type;
    char                     inner[CHANNEL_PATH_MAX + 1];   /* the channel's path, cut at its query */
    const char              *query;    /* in `inner`; NULL: none */
    char                     granting[65];   /* POST /upgrade/grant: the release, in hex */
};

/* ---- peers ----
 * LANE_LOG is a second one on the channel to disk, for what it answers while it goes on: reading the log does not keep a seal waiting. */
enum { LANE_KEEPER, LANE_DISK, LANE_BOOK, LANE_LOG, LANE_TRIAL, LANE_JUDGE, WEB_LANES = LANE_JUDGE + JUDGES_MAX, WEB_QUEUES = LANE_JUDGE + 1 };

struct web_lane {                      /* a channel, and the question that is under way on it */
    int                *fd;            /* in role_env; LANE_LOG: disk's */
    int                 known;         /* the descriptor it was last time: init may replace a judge's */
    bool                busy;
    uint16_t            seq, want;
    struct web_request *running;       /* NULL while busy: its client has been answered already */
};
struct web_queue { struct web_request *first, *last; unsigned count; };

/* ---- connections ---- */
struct web_con {
    int             fd;
    uint64_t        since_ms;          /* since when the client owes us something */
    bool            collecting, waiting; /* a request's body is coming; a peer has it */
    struct web_con *next, **back;
};

struct web {
    struct role_env   *env;
    struct MHD_Daemon *mhd;
    int                epoll;
    struct web_lane    lane[WEB_LANES];
    struct web_queue   queue[WEB_QUEUES];
    struct web_con    *cons;
    unsigned           con_count, pending;   /* pending: requests complete and not yet answered in full */
    size_t             bodies;
    uint64_t           accept_ms, look_ms;   /* no accept, no look at deadlines before this */
    bool               stopping, ending;     /* ending: nobody is left to ask */
    bool               has_state, has_disk;
    bool               awaited;              /* there was no service when the enclave started */
    struct wire_state  state;                /* as the keeper said last */
    struct wire_disk   disk;                 /* as disk said last */
    struct wire_log    log;                  /* likewise; size 0: no log yet */
    uint8_t           *checkpoint;           /* the newest one to show, a note; NULL: none */
    size_t             checkpoint_len;
    uint8_t           *room;                 /* MSG_MAX bytes, for frames */
};

uint64_t web_now_ms(void);

/* ---- web_http.c ---- */
err  web_http_open(struct web *w);                          /* Fails: E_IO, E_MEMORY */
void web_http_close(struct web *w);
/* Take one connection in. Fails: never for a client's fault; E_IO when the listener is broken. */
err  web_accept(struct web *w);
/* Cut clients that take too long for one request. */
void web_cut_slow(struct web *w, uint64_t now_ms);

/* ---- answers (web_http.c). The first one counts. A suspended connection goes on. ---- */
void web_answer_bytes(struct web_request *r, int status, const char *type, uint8_t *body, size_t n);  /* takes body */
void web_answer_text(struct web_request *r, int status, const char *text);                            /* text/plain */
/* {"error":…, "status":…, "request_id":…}; 503 also asks to retry. */
void web_answer_error(struct web_request *r, int status, const char *text);

/* Put a message (taken) where the body was; false, and the message freed, when there is no room. */
bool web_request_message(struct web_request *r, uint8_t *message, size_t n);
/* The same with a request to sign: `n` bytes for the judge, form->kept for the answer. */
bool web_request_asked(struct web_request *r, uint8_t *message, size_t n, const struct web_form *form);
/* The same with a body (taken), in place of message and body. */
bool web_request_body(struct web_request *r, uint8_t *body, size_t n);

/* ---- web_jobs.c ---- */
void web_jobs_open(struct web *w);
/* Queue r's message for a peer: `queue` is a LANE_*; the answer's type is `want`, or MSG_ERROR. A client
 * hears 503 when the queue is full, or no answer came after `seconds`. on_answer answers r; its
 * failure means that the peer broke the rules, and ends the role. */
void web_ask(struct web *w, struct web_request *r, unsigned queue, uint16_t ask, uint16_t want, unsigned seconds,
             err (*on_answer)(struct web *, struct web_request *, const struct msg *));
/* Send what can be sent. Fails: E_CLOSED and others, when a peer that is not a judge is gone. */
err  web_dispatch(struct web *w);
/* One frame of a lane that is readable. Fails: a broken rule, or a lost peer: the role must end. */
err  web_lane_serve(struct web *w, unsigned lane);
/* After init spoke: give up what was under way on judges that were replaced. */
void web_lanes_follow(struct web *w);
void web_cut_overdue(struct web *w, uint64_t now_ms);
/* Answer 503 to all that was not sent yet; to all. */
void web_drop_queues(struct web *w);
void web_give_up(struct web *w);
/* Is a complete request not answered in full yet? */
bool web_busy(const struct web *w);

/* ---- web_api.c ---- */
/* Out: *route, or NULL and *allow (NULL: no such path, else the Allow header). HEAD counts as GET. */
void web_route_find(const struct web_route **route, const char **allow, const char *method, const char *path);
bool web_content_type_json(const char *value);              /* application/json, application/x+json; parameters allowed */
extern const char web_text_415[], web_text_413[];

/* The value of an argument of the query, as it came, wherever the request came from; NULL: none. */
const char *web_argument(struct web_request *r, const char *name, char *room, size_t cap);
/* The same as a number of at most `max`: false when it is another; *out is left alone when there is none. */
bool web_number(struct web_request *r, const char *name, uint64_t max, uint64_t *out);
/* What clients hear while there is no key to work with: 0 when there is, else a status and *text. */
int  web_not_serving(const struct web *w, const char **text);

/* 200 with a JSON body (taken); NULL: there was no memory for it. */
void web_answer_json(struct web_request *r, uint8_t *body, size_t n);

/* ---- web_judge.c: handlers of their routes ---- */
void web_run_sign(struct web *w, struct web_request *r);         /* POST /verify-and-sign, /sign */
void web_run_verify(struct web *w, struct web_request *r);       /* POST /verify */

/* ---- web_secure.c ---- */
void web_run_secure(struct web *w, struct web_request *r);       /* POST /secure/verify-and-sign */
void web_run_channel(struct web *w, struct web_request *r);      /* POST /v1/channel */
void web_run_channel_key(struct web *w, struct web_request *r);  /* GET /v1/channel */
/* The answer (body taken) to a request that came encrypted goes to the keeper first. */
void web_secure_answer(struct web_request *r, int status, const char *type, uint8_t *body, size_t n);

/* ---- web_attest.c: handlers of their routes ---- */
/* web_disk.c */
err  web_take_log(struct web *w, const struct msg *m);
void web_run_announcement(struct web *w, struct web_request *r);
void web_run_grant(struct web *w, struct web_request *r);
void web_run_documents(struct web *w, struct web_request *r);
void web_run_releases(struct web *w, struct web_request *r);
void web_run_checkpoint(struct web *w, struct web_request *r);
void web_run_entries(struct web *w, struct web_request *r);
void web_run_proof(struct web *w, struct web_request *r);
void web_run_seal(struct web *w, struct web_request *r);
void web_run_backup_verify(struct web *w, struct web_request *r);
void web_run_grow(struct web *w, struct web_request *r);
void web_run_attestation(struct web *w, struct web_request *r);
void web_run_statement(struct web *w, struct web_request *r);
void web_run_evidence(struct web *w, struct web_request *r);

#endif
