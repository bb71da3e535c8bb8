/* A malformed, early, repeated, over-long or unasked frame ends the role that gets it.
 *
 * Each case runs one role's main in a child over socket pairs whose other ends are
 * the test's, brings it to a state, and sends one bad frame. The role must end by itself,
 * with a status that is not 0 and without being killed. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/msg.h"
#include "daemon/roles.h"
#include "daemon/wire.h"
#include "policy/genesis.h"
#include "signer/request.h"
#include "support/check_main.h"

static struct stage { pid_t pid; int control, peer[ROLES], nsm; } s;

static int pair_end(int *mine, int type)
{
    int p[2];
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, p), 0);
    *mine = p[0];
    return p[1];
}

static int some_listener(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };     /* an unnamed address: the kernel picks one */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a.sun_family), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

/* The role's own life from here on. No sandbox: what is tested is what it does with frames. */
static void run_role(enum role_id id, struct role_env *env)
{
    const struct role *r = &role_table[id];
    alarm(20);
    env->id = id;
    log_open(r->name, LOG_ERROR);
    if (r->flags & ROLE_ARENA && (crypto_warm_up().code || secret_arena_open(r->arena).code)) _exit(99);
    if (r->warm_up && r->warm_up(env).code) _exit(99);
    if (msg_send(env->control, CTL_READY, 0, NULL, 0, 5000).code) _exit(99);
    _exit(role_exit_status(r->main(env)));
}

static void configure(struct daemon_config *c)
{
    strcpy(c->genesis, "open");
    strcpy(c->profile, "confidential-script-2");
    strcpy(c->service_name, "test");
    strcpy(c->disk_dir, "/nonexistent");
    strcpy(c->kms_credentials, "imds");
    strcpy(c->kms_ca, "/etc/ssl/certs/ca-certificates.crt");
    if (access(c->kms_ca, R_OK)) strcpy(c->kms_ca, "/etc/hostname");
    c->disk_size = 16u << 20;
    c->web_connections = 4;
    c->web_timeout = 5;
    c->parent_wait = 1;
}

static void begin(enum role_id id)
{
    struct role_env env = { .judges = 1 };
    memset(&s, 0xff, sizeof s);
    memset(env.peer, 0xff, sizeof env.peer);
    memset(env.judge, 0xff, sizeof env.judge);
    memset(env.given, 0xff, sizeof env.given);
    configure(&env.config);
    env.control = pair_end(&s.control, SOCK_STREAM);
    for (int r = ROLE_WEB; r < ROLES; r++) {
        if (!(role_table[id].talks_to & 1u << r)) continue;
        int theirs = pair_end(&s.peer[r], SOCK_STREAM);
        if (r == ROLE_JUDGE) env.judge[0] = theirs;
        else env.peer[r] = theirs;
    }
    env.given[GIVE_NSM - GIVE_LISTEN] = pair_end(&s.nsm, SOCK_SEQPACKET);
    env.given[0] = some_listener();
    s.pid = fork();
    ck_assert_int_ge(s.pid, 0);
    if (s.pid == 0) run_role(id, &env);
    close(env.control);
    for (int r = 0; r < ROLES; r++)
        if (env.peer[r] >= 0) close(env.peer[r]);
    if (env.judge[0] >= 0) close(env.judge[0]);
    close(env.given[GIVE_NSM - GIVE_LISTEN]);
    close(env.given[0]);
    struct msg m;
    uint8_t room[64];
    ck_assert_int_eq(msg_recv(s.control, &m, room, sizeof room, NULL, 15000).code, E_OK);
    ck_assert_uint_eq(m.type, CTL_READY);
}

static void finish(void)
{
    close(s.control);
    close(s.nsm);
    for (int r = 0; r < ROLES; r++)
        if (s.peer[r] >= 0) close(s.peer[r]);
}

/* It ended by its own decision: neither well, nor by a signal. */
static void must_end(void)
{
    int how;
    ck_assert_int_eq(waitpid(s.pid, &how, 0), s.pid);
    ck_assert_msg(WIFEXITED(how), "killed by signal %d", WTERMSIG(how));
    ck_assert_int_ne(WEXITSTATUS(how), 0);
    ck_assert_int_ne(WEXITSTATUS(how), 99);
    finish();
}

static void send_to(enum role_id from, uint16_t type, size_t n)
{
    static uint8_t zeros[16384];
    ck_assert_uint_le(n, sizeof zeros);
    ck_assert_int_eq(msg_send(s.peer[from], type, 1, zeros, n, 5000).code, E_OK);
}

/* A head that promises more than anybody takes. */
static void send_endless(int fd, uint16_t type)
{
    uint8_t head[MSG_HEAD];
    struct wr w = wr_of(head, sizeof head);
    wr_u32(&w, 0xfffffff0u);
    wr_u16(&w, type);
    wr_u16(&w, 1);
    ck_assert_int_eq(write(fd, head, sizeof head), (ssize_t)sizeof head);
}

static void recv_type(int fd, uint16_t type, struct msg *m, uint8_t *room, size_t cap)
{
    ck_assert_int_eq(msg_recv(fd, m, room, cap, NULL, 10000).code, E_OK);
    ck_assert_uint_eq(m->type, type);
}

/* ---- bringing roles to a state ---- */

static void fresh(enum role_id id) { begin(id); }

static void sign_with_master(enum role_id id)
{
    struct msg m;
    uint8_t room[64], body[41] = { 0 };
    begin(id);
    body[40] = 7;
    ck_assert_int_eq(msg_send(s.peer[ROLE_KEEPER], SIGN_MASTER, 1, body, sizeof body, 5000).code, E_OK);
    recv_type(s.peer[ROLE_KEEPER], SIGN_PUBLIC, &m, room, sizeof room);
}

static void sign_serving(enum role_id id)
{
    struct msg m;
    uint8_t room[64];
    sign_with_master(id);
    struct rule_list rules;
    uint8_t body[WIRE_RULES_MOST];
    struct wr w = wr_of(body, sizeof body);
    ck_assert_int_eq(rules_list_parse(&rules, "tapscript,lnhance").code, E_OK);
    rules_list_write(&w, &rules);
    ck_assert_int_eq(msg_send(s.peer[ROLE_KEEPER], SIGN_SERVE, 1, body, w.len, 5000).code, E_OK);
    recv_type(s.peer[ROLE_KEEPER], SIGN_SERVING, &m, room, sizeof room);
}

/* The keeper asks for the record first; this answers `present` and nothing else. */
static void keeper_asking(enum role_id id)
{
    struct msg m;
    uint8_t room[1024];
    begin(id);
    recv_type(s.peer[ROLE_WEB], KEEPER_STATE, &m, room, sizeof room);
    recv_type(s.peer[ROLE_DISK], DISK_RECORD_GET, &m, room, sizeof room);
}

static void keeper_awaiting(enum role_id id)
{
    const uint8_t none[5] = { 0 };
    struct msg m;
    uint8_t room[1024];
    begin(id);
    recv_type(s.peer[ROLE_DISK], DISK_RECORD_GET, &m, room, sizeof room);
    ck_assert_int_eq(msg_send(s.peer[ROLE_DISK], DISK_RECORD, m.seq, none, sizeof none, 5000).code, E_OK);
}

/* ---- the cases ---- */

enum kind { FRAME, ENDLESS, GONE };
static const struct bad {
    const char *what;
    enum role_id role;
    void (*prepare)(enum role_id);
    enum role_id from;            /* ROLE_INIT: the control channel */
    uint16_t type;
    size_t n;
    enum kind kind;
} cases[] = {
    { "sign: unknown from judge", ROLE_SIGN, fresh, ROLE_JUDGE, 0x7777, 0, FRAME },
    { "sign: early input", ROLE_SIGN, fresh, ROLE_JUDGE, SIGN_INPUT, SIGN_REQUEST_SIZE - 2, FRAME },
    { "sign: early input of a keyed signer", ROLE_SIGN, sign_with_master, ROLE_JUDGE, SIGN_INPUT, SIGN_REQUEST_SIZE, FRAME },
    { "sign: question with a body", ROLE_SIGN, fresh, ROLE_JUDGE, SIGN_PARAMS, 1, FRAME },
    { "sign: short input", ROLE_SIGN, sign_serving, ROLE_JUDGE, SIGN_INPUT, 8, FRAME },
    { "sign: long input", ROLE_SIGN, sign_serving, ROLE_JUDGE, SIGN_INPUT, 400, FRAME },
    { "sign: input without a message", ROLE_SIGN, sign_serving, ROLE_JUDGE, SIGN_INPUT, SIGN_REQUEST_SIZE, FRAME },
    { "sign: endless from judge", ROLE_SIGN, sign_serving, ROLE_JUDGE, SIGN_INPUT, 0, ENDLESS },
    { "sign: serve before the master", ROLE_SIGN, fresh, ROLE_KEEPER, SIGN_SERVE, 59, FRAME },
    { "sign: serve under no rule set", ROLE_SIGN, sign_with_master, ROLE_KEEPER, SIGN_SERVE, 1, FRAME },
    { "sign: serve under rules that are none", ROLE_SIGN, sign_with_master, ROLE_KEEPER, SIGN_SERVE, 59, FRAME },
    { "sign: short master", ROLE_SIGN, fresh, ROLE_KEEPER, SIGN_MASTER, 20, FRAME },
    { "sign: a master that is no key", ROLE_SIGN, fresh, ROLE_KEEPER, SIGN_MASTER, 41, FRAME },
    { "sign: a second master", ROLE_SIGN, sign_with_master, ROLE_KEEPER, SIGN_MASTER, 41, FRAME },
    { "sign: serve twice", ROLE_SIGN, sign_serving, ROLE_KEEPER, SIGN_SERVE, 59, FRAME },
    { "sign: a judge that would agree", ROLE_SIGN, sign_serving, ROLE_JUDGE, SIGN_AGREE, 33, FRAME },
    { "sign: agree before serving", ROLE_SIGN, sign_with_master, ROLE_KEEPER, SIGN_AGREE, 33, FRAME },
    { "sign: short point", ROLE_SIGN, sign_serving, ROLE_KEEPER, SIGN_AGREE, 32, FRAME },
    { "sign: long point", ROLE_SIGN, sign_serving, ROLE_KEEPER, SIGN_AGREE, 66, FRAME },
    { "sign: the keeper is gone", ROLE_SIGN, sign_serving, ROLE_KEEPER, 0, 0, GONE },
    { "book: unknown from disk", ROLE_BOOK, fresh, ROLE_DISK, 0x7777, 0, FRAME },
    { "book: short open", ROLE_BOOK, fresh, ROLE_DISK, BOOK_OPEN, 3, FRAME },
    { "book: long open", ROLE_BOOK, fresh, ROLE_DISK, BOOK_OPEN, GENESIS_MAX + 100, FRAME },
    { "book: open where there is no disk", ROLE_BOOK, fresh, ROLE_DISK, BOOK_OPEN, 45, FRAME },
    { "book: close before open", ROLE_BOOK, fresh, ROLE_DISK, BOOK_CLOSE, 0, FRAME },
    { "book: clean before open", ROLE_BOOK, fresh, ROLE_DISK, BOOK_CLEAN, 0, FRAME },
    { "book: short record", ROLE_BOOK, fresh, ROLE_JUDGE, BOOK_RECORD, 10, FRAME },
    { "book: long record", ROLE_BOOK, fresh, ROLE_JUDGE, BOOK_RECORD, 1000, FRAME },
    { "book: a judge that opens", ROLE_BOOK, fresh, ROLE_JUDGE, BOOK_OPEN, 45, FRAME },
    { "book: a short spend", ROLE_BOOK, fresh, ROLE_JUDGE, BOOK_SPEND, 40, FRAME },
    { "book: a spend of nothing", ROLE_BOOK, fresh, ROLE_JUDGE, BOOK_SPEND, 4 + WIRE_SPEND, FRAME },
    { "book: web spends", ROLE_BOOK, fresh, ROLE_WEB, BOOK_SPEND, 4 + WIRE_SPEND, FRAME },
    { "book: sealed before it is open", ROLE_BOOK, fresh, ROLE_DISK, BOOK_SEALED, 1, FRAME },
    { "disk: a seal for the book before there is a disk", ROLE_DISK, fresh, ROLE_BOOK, BOOK_SEAL, 0, FRAME },
    { "book: endless from web", ROLE_BOOK, fresh, ROLE_WEB, BOOK_LIST, 0, ENDLESS },
    { "judge: unknown from web", ROLE_JUDGE, fresh, ROLE_WEB, 0x7777, 0, FRAME },
    { "judge: short request", ROLE_JUDGE, fresh, ROLE_WEB, JUDGE_SIGN, 11, FRAME },
    { "judge: a dry run", ROLE_JUDGE, fresh, ROLE_WEB, TRIAL_VERIFY, WIRE_TERMS_LEAST + 20, FRAME },
    { "trial: unknown from web", ROLE_TRIAL, fresh, ROLE_WEB, 0x7777, 0, FRAME },
    { "trial: short request", ROLE_TRIAL, fresh, ROLE_WEB, TRIAL_VERIFY, WIRE_TERMS_LEAST + JUDGE_HEAD, FRAME },
    { "trial: terms that are none", ROLE_TRIAL, fresh, ROLE_WEB, TRIAL_VERIFY, WIRE_TERMS_LEAST + 60, FRAME },
    { "trial: asked to sign", ROLE_TRIAL, fresh, ROLE_WEB, JUDGE_SIGN, 60, FRAME },
    { "trial: endless request", ROLE_TRIAL, fresh, ROLE_WEB, TRIAL_VERIFY, 0, ENDLESS },
    { "trial: init gives a way to sign", ROLE_TRIAL, fresh, ROLE_INIT, CTL_GIVE, 2, FRAME },
    { "judge: endless request", ROLE_JUDGE, fresh, ROLE_WEB, JUDGE_SIGN, 0, ENDLESS },
    { "judge: sign speaks unasked", ROLE_JUDGE, fresh, ROLE_SIGN, SIGN_INPUT_IS, 64, FRAME },
    { "judge: book speaks unasked", ROLE_JUDGE, fresh, ROLE_BOOK, BOOK_RECORDED, 8, FRAME },
    { "disk: genesis before the key", ROLE_DISK, fresh, ROLE_KEEPER, DISK_GENESIS, 16, FRAME },
    { "disk: key before the record", ROLE_DISK, fresh, ROLE_KEEPER, DISK_OPEN, 69, FRAME },
    { "disk: record with a body", ROLE_DISK, fresh, ROLE_KEEPER, DISK_RECORD_GET, 1, FRAME },
    { "disk: seal with a body", ROLE_DISK, fresh, ROLE_WEB, DISK_SEAL, 1, FRAME },
    { "disk: verify with a body", ROLE_DISK, fresh, ROLE_WEB, DISK_VERIFY, 1, FRAME },
    { "disk: unknown from web", ROLE_DISK, fresh, ROLE_WEB, DISK_OPEN, 69, FRAME },
    { "disk: dirty before there is a disk", ROLE_DISK, fresh, ROLE_BOOK, BOOK_DIRTY, 0, FRAME },
    { "disk: endless from the keeper", ROLE_DISK, fresh, ROLE_KEEPER, DISK_GENESIS, 0, ENDLESS },
    { "disk: the keeper is gone", ROLE_DISK, fresh, ROLE_KEEPER, 0, 0, GONE },
    { "disk: volume key before the record", ROLE_DISK, fresh, ROLE_KEEPER, DISK_VOLUME, 64, FRAME },
    { "disk: volume speaks unasked", ROLE_DISK, fresh, ROLE_KEEPER, VOLUME_OPENED, 0, FRAME },
    { "disk: log key before the record", ROLE_DISK, fresh, ROLE_KEEPER, DISK_LOG_KEY, 32, FRAME },
    { "disk: asked what stands before there is a disk", ROLE_DISK, fresh, ROLE_KEEPER, DISK_STANDING, 0, FRAME },
    { "disk: an entry before there is a log", ROLE_DISK, fresh, ROLE_KEEPER, DISK_LOG_ADD, 20, FRAME },
    { "disk: an endless entry", ROLE_DISK, fresh, ROLE_KEEPER, DISK_LOG_ADD, 0, ENDLESS },
    { "disk: web adds an entry", ROLE_DISK, fresh, ROLE_WEB, DISK_LOG_ADD, 20, FRAME },
    { "disk: web asks what stands", ROLE_DISK, fresh, ROLE_WEB, DISK_STANDING, 0, FRAME },
    { "disk: entries asked for before there is a log", ROLE_DISK, fresh, ROLE_WEB, DISK_LOG_READ, 12, FRAME },
    { "disk: a proof asked for before there is a log", ROLE_DISK, fresh, ROLE_WEB, DISK_LOG_PROVE, 17, FRAME },
    { "disk: the keeper asks for entries", ROLE_DISK, fresh, ROLE_KEEPER, DISK_LOG_READ, 12, FRAME },
    { "disk: web says anchored", ROLE_DISK, fresh, ROLE_WEB, DISK_ANCHORED, 0, FRAME },
    { "volume: another frame", ROLE_VOLUME, fresh, ROLE_DISK, DISK_VOLUME, 101, FRAME },
    { "volume: short", ROLE_VOLUME, fresh, ROLE_DISK, VOLUME_OPEN, 100, FRAME },
    { "volume: long", ROLE_VOLUME, fresh, ROLE_DISK, VOLUME_OPEN, 102, FRAME },
    { "volume: endless", ROLE_VOLUME, fresh, ROLE_DISK, VOLUME_OPEN, 0, ENDLESS },
    { "volume: disk is gone", ROLE_VOLUME, fresh, ROLE_DISK, 0, 0, GONE },
    { "fetch: unknown from the keeper", ROLE_FETCH, fresh, ROLE_KEEPER, 0x7777, 0, FRAME },
    { "fetch: short question", ROLE_FETCH, fresh, ROLE_KEEPER, FETCH_DERIVE, 3, FRAME },
    { "fetch: malformed question", ROLE_FETCH, fresh, ROLE_KEEPER, FETCH_DERIVE, 100, FRAME },
    { "fetch: short question about a key", ROLE_FETCH, fresh, ROLE_KEEPER, FETCH_EVIDENCE, 56, FRAME },
    { "fetch: malformed question about a key", ROLE_FETCH, fresh, ROLE_KEEPER, FETCH_EVIDENCE, 60, FRAME },
    { "fetch: long question about a key", ROLE_FETCH, fresh, ROLE_KEEPER, FETCH_EVIDENCE, 300, FRAME },
    { "fetch: endless question", ROLE_FETCH, fresh, ROLE_KEEPER, FETCH_DERIVE, 0, ENDLESS },
    { "keeper: another answer than the record", ROLE_KEEPER, keeper_asking, ROLE_DISK, DISK_OPENED, 16, FRAME },
    { "keeper: a record that is none", ROLE_KEEPER, keeper_asking, ROLE_DISK, DISK_RECORD, 3, FRAME },
    { "keeper: endless record", ROLE_KEEPER, keeper_asking, ROLE_DISK, DISK_RECORD, 0, ENDLESS },
    { "keeper: short setup", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SETUP, 10, FRAME },
    { "keeper: malformed setup", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SETUP, 60, FRAME },
    { "keeper: malformed setup with room for headers", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SETUP, 900, FRAME },
    { "keeper: endless setup", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SETUP, 0, ENDLESS },
    { "keeper: short question to attest", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_ATTEST, 4, FRAME },
    { "keeper: malformed question to attest", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_ATTEST, 6, FRAME },
    { "keeper: a nonce that is too long", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_ATTEST, 518, FRAME },
    { "keeper: short question about the key", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_EVIDENCE, 3, FRAME },
    { "keeper: malformed question about the key", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_EVIDENCE, 5, FRAME },
    { "keeper: short secure request", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SECURE, 33, FRAME },
    { "keeper: a secure request without a point", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SECURE, 100, FRAME },
    { "keeper: empty request of the channel", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_CHANNEL, 0, FRAME },
    { "keeper: endless request of the channel", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_CHANNEL, 0, ENDLESS },
    { "keeper: short answer to be sealed", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SEAL, 10, FRAME },
    { "keeper: an answer of no kind", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, KEEPER_SEAL, 11, FRAME },
    { "keeper: sign agrees unasked", ROLE_KEEPER, keeper_awaiting, ROLE_SIGN, SIGN_AGREED, 32, FRAME },
    { "keeper: unknown from web", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, SIGN_MASTER, 41, FRAME },
    { "keeper: fetch speaks unasked", ROLE_KEEPER, keeper_awaiting, ROLE_FETCH, FETCH_DERIVED, 40, FRAME },
    { "keeper: evidence unasked", ROLE_KEEPER, keeper_awaiting, ROLE_FETCH, FETCH_EVIDENCE_IS, 101, FRAME },
    { "keeper: sign speaks unasked", ROLE_KEEPER, keeper_awaiting, ROLE_SIGN, SIGN_PUBLIC, 33, FRAME },
    { "keeper: disk is gone", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, 0, 0, GONE },
    { "keeper: anchored before there is a service", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, DISK_ANCHORED, 0, FRAME },
    { "keeper: anchored, with a body", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, DISK_ANCHORED, 1, FRAME },
    { "keeper: a malformed log", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, DISK_LOG, 200, FRAME },
    { "keeper: a short log", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, DISK_LOG, 10, FRAME },
    { "keeper: an endless log", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, DISK_LOG, 0, ENDLESS },
    { "keeper: added unasked", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, DISK_LOG_ADDED, 8, FRAME },
    { "keeper: what stands, unasked", ROLE_KEEPER, keeper_awaiting, ROLE_DISK, DISK_STANDING_IS, 52, FRAME },
    { "keeper: web says anchored", ROLE_KEEPER, keeper_awaiting, ROLE_WEB, DISK_ANCHORED, 0, FRAME },
    { "web: short log", ROLE_WEB, fresh, ROLE_DISK, DISK_LOG, 10, FRAME },
    { "web: a log from the keeper", ROLE_WEB, fresh, ROLE_KEEPER, DISK_LOG, 108, FRAME },
    { "web: entries unasked", ROLE_WEB, fresh, ROLE_DISK, DISK_LOG_ENTRIES, 1, FRAME },
    { "web: a proof unasked", ROLE_WEB, fresh, ROLE_DISK, DISK_LOG_PROOF, 5, FRAME },
    { "web: unknown from the keeper", ROLE_WEB, fresh, ROLE_KEEPER, 0x7777, 0, FRAME },
    { "web: short state", ROLE_WEB, fresh, ROLE_KEEPER, KEEPER_STATE, 10, FRAME },
    { "web: setup answered unasked", ROLE_WEB, fresh, ROLE_KEEPER, KEEPER_SETUP_IS, 9, FRAME },
    { "web: attested unasked", ROLE_WEB, fresh, ROLE_KEEPER, KEEPER_ATTESTED, 8, FRAME },
    { "web: evidence unasked", ROLE_WEB, fresh, ROLE_KEEPER, KEEPER_EVIDENCE_IS, 8, FRAME },
    { "web: opened unasked", ROLE_WEB, fresh, ROLE_KEEPER, KEEPER_OPENED, 9, FRAME },
    { "web: sealed unasked", ROLE_WEB, fresh, ROLE_KEEPER, KEEPER_SEALED, 1, FRAME },
    { "web: short disk state", ROLE_WEB, fresh, ROLE_DISK, DISK_STATE, 10, FRAME },
    { "web: endless from book", ROLE_WEB, fresh, ROLE_BOOK, BOOK_LISTED, 0, ENDLESS },
    { "web: the keeper is gone", ROLE_WEB, fresh, ROLE_KEEPER, 0, 0, GONE },
    { "sign: unknown from init", ROLE_SIGN, fresh, ROLE_INIT, CTL_CONFIG, 4, FRAME },
    { "judge: init gives what it may not have", ROLE_JUDGE, fresh, ROLE_INIT, CTL_GIVE, 2, FRAME },
    { "keeper: init is gone", ROLE_KEEPER, keeper_awaiting, ROLE_INIT, 0, 0, GONE },
    { "disk: init is gone", ROLE_DISK, fresh, ROLE_INIT, 0, 0, GONE },
};

START_TEST(a_bad_frame_ends_the_role)
{
    const struct bad *c = &cases[_i];
    c->prepare(c->role);
    int fd = c->from == ROLE_INIT ? s.control : s.peer[c->from];
    if (c->kind == GONE) shutdown(fd, SHUT_RDWR);
    else if (c->kind == ENDLESS) send_endless(fd, c->type);
    else if (c->from == ROLE_INIT) ck_assert_int_eq(msg_send(fd, c->type, 0, "\x06", c->n > 1 ? 1 : c->n, 5000).code, E_OK);
    else send_to(c->from, c->type, c->n);
    must_end();
}
END_TEST

/* What the cases above are worth: the same roles live through good frames. */
START_TEST(a_good_frame_does_not)
{
    struct msg m;
    struct wire_terms terms;
    uint8_t room[WIRE_TERMS_MOST];
    sign_serving(ROLE_SIGN);
    for (int i = 0; i < 3; i++) {
        send_to(ROLE_JUDGE, SIGN_PARAMS, 0);
        recv_type(s.peer[ROLE_JUDGE], SIGN_PARAMS_IS, &m, room, sizeof room);
        struct rd r = rd_of(m.body, m.len);
        wire_get_terms(&r, &terms);
        ck_assert_int_eq(rd_end(&r, "terms").code, E_OK);
        ck_assert_uint_eq(terms.rules.count, 2);
        ck_assert_str_eq(terms.rules.set[1].name, "lnhance");
    }
    send_to(ROLE_KEEPER, SIGN_AGREE, 33);          /* no point: it says so */
    recv_type(s.peer[ROLE_KEEPER], MSG_ERROR, &m, room, sizeof room);
    ck_assert_uint_eq(m.body[0], E_DENIED);
    ck_assert_int_eq(msg_send(s.control, CTL_STOP, 0, NULL, 0, 5000).code, E_OK);
    int how;
    ck_assert_int_eq(waitpid(s.pid, &how, 0), s.pid);
    ck_assert(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    finish();
}
END_TEST

/* A channel exists where both ends know of it, and nowhere else. */
START_TEST(the_table_is_symmetric)
{
    for (int a = ROLE_WEB; a < ROLES; a++)
        for (int b = ROLE_WEB; b < ROLES; b++)
            ck_assert_int_eq((role_table[a].talks_to & 1u << b) != 0, (role_table[b].talks_to & 1u << a) != 0);
    ck_assert(!(role_table[ROLE_WEB].talks_to & 1u << ROLE_SIGN));
    ck_assert(!(role_table[ROLE_FETCH].talks_to & ~(1u << ROLE_KEEPER)));
    /* Any holder of the security module could lock PCRs and attest to anything. */
    for (int a = ROLE_INIT; a < ROLES; a++)
        ck_assert_int_eq((role_table[a].gets & 1u << (GIVE_NSM - GIVE_LISTEN)) != 0, a == ROLE_KEEPER);
}
END_TEST

static Suite *role_frames_suite(void)
{
    Suite *suite = suite_create("role_frames");
    TCase *t = tcase_create("frames");
    tcase_set_timeout(t, 40);
    tcase_add_loop_test(t, a_bad_frame_ends_the_role, 0, sizeof cases / sizeof *cases);
    tcase_add_test(t, a_good_frame_does_not);
    tcase_add_test(t, the_table_is_symmetric);
    suite_add_tcase(suite, t);
    return suite;
}

CHECK_MAIN(role_frames_suite)
