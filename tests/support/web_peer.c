/* web_peer.c - the role `web` alone, with every peer played by this program.
 *
 *     web_peer ADDRESS CONNECTIONS TIMEOUT_SECONDS
 *
 * web_main() runs in a child, in its real sandbox. Commands come on standard input, a line each, and
 * each is answered by one line: `ok`, or a number.
 *     state N       the keeper says phase N (4, serving, with a key and settings)
 *     disk 0|1      disk says not mounted, mounted
 *     hold, go      judges do not read their questions; read again
 *     silent NAME   book or keeper does not read either; `loud NAME`
 *     drop NAME     close the channel of keeper, disk or book
 *     judges        hand over a new channel for every judge that is gone
 *     asked         how many questions judges got
 *     fail 0|1      disk answers DISK_SEAL with an error
 *     log           disk says that there is a log
 *     outcome N     of what disk answers about it (enum log_outcome; one more: malformed)
 *     log-hold      disk keeps the next question about it; log-go: answers it; log-held: 1 when it has one
 *     stop          CTL_STOP
 *     bad NAME      send a malformed frame as keeper, disk, book or judge
 * When the child ends, `ended STATUS` is written (an exit status, or 256 + a signal), and this
 * program ends.
 *
 * What a judge does is chosen by the version of the transaction it is asked about:
 *     1000 dies  1001 answers MSG_ERROR  1002 refuses (400)  1003 never answers
 *     1004 wrong sequence  1005 an input that is not there  1006 wrong type  1007 odd text  1008 twice
 *     others: signs each input with two or more witness items, with 64 times (input + 1), and keeps
 *     an annex that begins with 50 00. The keeper's verdict is the number behind `verdict:` in key_id.
 * What the judge of dry runs does: web_trial_peer.h. Asked to attest, the keeper's document is `doc` and the nonce, its statement {"s":"\\"}; with a nonce
 * of one byte 0 it answers MSG_ERROR.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/msg.h"
#include "core/sandbox.h"
#include "daemon/roles.h"
#include "daemon/wire.h"
#include "signer/emulate.h"
#include "tests/support/web_log_peer.h"
#include "tests/support/web_secure_peer.h"
#include "tests/support/web_trial_peer.h"

enum { JUDGES = 2, PEERS = 7, ROWS = 7, ROOM = 8 << 20 };

struct peer {
    int      control, keeper, disk, book, trial, judge[JUDGES], child_out;
    bool     held, keeper_silent, book_silent, disk_error;
    unsigned asked, sealed;
    struct log_peer log;
    uint8_t *room;
    pid_t    child;
};

static void die(const char *what)
{
    fprintf(stderr, "web_peer: %s\n", what);
    exit(1);
}

static void must(err e, const char *what)
{
    if (e.code) die(what);
}

/* role.c's half of the control channel, without the other roles that it links. */
err role_control(struct role_env *env, bool *stop)
{
    uint8_t room[64];
    struct msg m;
    FD pass = -1;
    TRY(msg_recv(env->control, &m, room, sizeof room, &pass, 5000));
    if (m.type == CTL_STOP) {
        *stop = true;
        return OK;
    }
    if (m.type != CTL_GIVE || pass < 0 || m.len != 2 || m.body[0] != ROLE_JUDGE || m.body[1] >= JUDGES)
        FAIL(E_FORMAT, "unexpected control frame");
    fd_close(&env->judge[m.body[1]]);
    env->judge[m.body[1]] = take_fd(&pass);
    return OK;
}

static void pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) die("socketpair");
}

/* The child: everything init and role_process() would have done. */
static int child_main(struct role_env *env)
{
    const struct sandbox box = {
        .calls = calls_web, .refused = calls_refused, .max_fds = (unsigned)env->config.web_connections + 128,
    };
    log_open("web", getenv("HOLDFAST_TEST_LOG") ? LOG_DEBUG : LOG_ERROR);
    must(web_warm_up(env), "warm up");
    if (!getenv("HOLDFAST_TEST_OPEN")) must(sandbox_enter(&box), "sandbox");
    must(msg_send(env->control, CTL_READY, 0, NULL, 0, 5000), "ready");
    err e = web_main(env);
    return e.code ? 64 + (int)e.code : 0;
}

static void start(struct peer *p, char **argv)
{
    struct role_env env = { .id = ROLE_WEB, .control = -1 };
    int fds[2], listener;
    for (int i = 0; i < ROLES; i++) env.peer[i] = -1;
    for (int i = 0; i < JUDGES_MAX; i++) env.judge[i] = -1;
    strcpy(env.config.service_name, "test");
    strcpy(env.config.genesis, "open");
    env.config.web_connections = strtoul(argv[2], NULL, 10);
    env.config.web_timeout = strtoul(argv[3], NULL, 10);
    must(fd_listen(&listener, argv[1], 0600), "listen");
    env.given[0] = listener;
    int *ours[] = { &p->control, &p->keeper, &p->disk, &p->book, &p->judge[0], &p->judge[1], &p->trial };
    int *theirs[] = { &env.control, &env.peer[ROLE_KEEPER], &env.peer[ROLE_DISK], &env.peer[ROLE_BOOK], &env.judge[0], &env.judge[1], &env.peer[ROLE_TRIAL] };
    for (size_t i = 0; i < PEERS; i++) {
        pair(fds);
        *ours[i] = fds[0];
        *theirs[i] = fds[1];
    }
    int gone[2];
    if (pipe(gone)) die("pipe");
    p->child = fork();
    if (p->child < 0) die("fork");
    if (p->child == 0) {
        for (size_t i = 0; i < PEERS; i++) close(*ours[i]);
        close(gone[0]);                      /* gone[1] stays open until the child ends */
        _exit(child_main(&env));
    }
    for (size_t i = 0; i < PEERS; i++) close(*theirs[i]);
    close(listener);
    close(gone[1]);
    p->child_out = gone[0];
}

/* ---- what the peers say ---- */

static void say_state(struct peer *p, unsigned phase)
{
    uint8_t body[1024 + WIRE_RULES_MOST];
    struct wr w = wr_of(body, sizeof body);
    struct wire_state s = { .phase = (uint8_t)phase, .simulated = 1, .epoch = 3 };
    if (phase == PHASE_SERVING) {
        s.has_service = 1;
        s.public_key[0] = 2;
        memset(s.public_key + 1, 0xab, 32);
        memset(s.service_id, 0xcd, 32);
        strcpy(s.profile, getenv("HOLDFAST_TEST_PROFILE") ? getenv("HOLDFAST_TEST_PROFILE") : "confidential-script-2");
        must(rules_list_parse(&s.rules, "tapscript,lnhance"), "rules");
        s.settings = (struct wire_setup){ .limited = true, .max_weight = 400000, .key_id = "arn:aws:kms:x", .accepted = 1u << 31 | 1u << 12 };
        s.settings.blockhash[31] = 0x6f;
    }
    wire_put_state(&w, &s);
    must(msg_send(p->keeper, KEEPER_STATE, 0, body, w.len, 5000), "state");
}

static void put_disk(struct peer *p, struct wr *w, bool mounted)
{
    struct wire_disk d = { .mounted = mounted, .backend = "loop", .generation = p->sealed, .image_size = 64u << 20, .sealed_at = p->sealed ? 1700000000 : 0 };
    wire_put_disk(w, &d);
}

static void say_disk(struct peer *p, bool mounted)
{
    uint8_t body[256];
    struct wr w = wr_of(body, sizeof body);
    put_disk(p, &w, mounted);
    must(msg_send(p->disk, DISK_STATE, 0, body, w.len, 5000), "disk");
}

static void answer_attest(struct peer *p, const struct msg *m)
{
    static const char text[] = "{\"s\":\"\\\\\"}";
    uint8_t doc[3 + 512] = "doc", body[640];
    struct rd r = rd_of(m->body, m->len);
    struct wr w = wr_of(body, sizeof body);
    size_t n = 0;
    const uint8_t document = rd_u8(&r), *nonce = rd_var(&r, 512, &n);
    must(rd_end(&r, "KEEPER_ATTEST"), "attest");
    if (n == 1 && nonce[0] == 0) {
        must(msg_send_error(p->keeper, m, (err){ E_IO }), "attest");
        return;
    }
    if (n) memcpy(doc + 3, nonce, n);
    wr_var(&w, doc, document ? 3 + n : 0);
    wr_var(&w, text, sizeof text - 1);
    must(msg_send(p->keeper, KEEPER_ATTESTED, m->seq, body, w.len, 5000), "attest");
}

static void answer_evidence(struct peer *p, const struct msg *m)
{
    static const char text[] = "{\"key\":\"\\u00e9\"}";
    uint8_t doc[3 + 512] = "doc", body[640];
    struct rd r = rd_of(m->body, m->len);
    struct wr w = wr_of(body, sizeof body);
    size_t n = 0;
    const uint8_t *nonce = rd_var(&r, 512, &n);
    must(rd_end(&r, "KEEPER_EVIDENCE"), "evidence");
    if (n == 1 && nonce[0] < 2) {
        must(msg_send_error(p->keeper, m, (err){ nonce[0] ? E_CLOSED : E_ABSENT }), "evidence");
        return;
    }
    if (n) memcpy(doc + 3, nonce, n);
    wr_var(&w, doc, 3 + n);
    wr_var(&w, text, sizeof text - 1);
    must(msg_send(p->keeper, KEEPER_EVIDENCE_IS, m->seq, body, w.len, 5000), "evidence");
}

static void answer_setup(struct peer *p, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    struct wire_setup s;
    struct wire_headers h;
    wire_get_setup(&r, &s);
    wire_get_headers(&r, &h);
    must(rd_end(&r, "setup"), "setup");
    const char *v = strstr(s.key_id, "verdict:");
    const uint8_t verdict = v ? (uint8_t)strtoul(v + 8, NULL, 10) : SETUP_DONE;
    uint8_t body[256];
    char words[128] = "";
    struct wr w = wr_of(body, sizeof body);
    if (h.given) snprintf(words, sizeof words, "%zu bytes, network %u, anchor %u %02x, last byte %02x", h.n, h.network, h.height, h.hash[0], h.n ? h.bytes[h.n - 1] : 0);
    wr_u8(&w, verdict);
    wr_u32(&w, s.accepted);
    wr_var(&w, words, strlen(words));
    if (verdict == SETUP_DONE) say_state(p, PHASE_SERVING);
    must(msg_send(p->keeper, KEEPER_SETUP_IS, m->seq, body, w.len, 5000), "verdict");
}

static void answer_disk(struct peer *p, const struct msg *m)
{
    uint8_t body[256];
    struct wr w = wr_of(body, sizeof body);
    if (peer_answer_log(p->disk, &p->log, m)) return;
    if (p->disk_error) {
        must(msg_send_error(p->disk, m, (err){ E_IO }), "disk error");
        return;
    }
    p->sealed++;
    put_disk(p, &w, true);
    must(msg_send(p->disk, DISK_SEALED, m->seq, body, w.len, 5000), "sealed");
}

static void answer_book(struct peer *p, const struct msg *m)
{
    static uint8_t body[64 << 10];
    struct rd r = rd_of(m->body, m->len);
    uint32_t limit = rd_u32(&r), n = 0;
    uint64_t before = rd_u64(&r);
    (void)rd_u64(&r);
    must(rd_end(&r, "list"), "list");
    uint64_t top = before && before <= ROWS ? before - 1 : ROWS;
    n = top < limit ? (uint32_t)top : limit;
    struct wr w = wr_of(body, sizeof body);
    wr_u64(&w, ROWS);
    wr_u32(&w, n);
    for (uint32_t i = 0; i < n; i++) {
        struct wire_entry e = { .row = top - i, .time = 1700000000 + top - i, .status = 200, .inputs = 1, .signed_inputs = 1 };
        e.txid[0] = 0x11;
        e.request_hash[0] = 0x22;
        strcpy(e.which, "0");
        strcpy(e.rules, "tapscript");
        strcpy(e.text, "words \"quoted\" \\ and \x01");
        wire_put_entry(&w, &e);
    }
    must(msg_send(p->book, BOOK_LISTED, m->seq, body, w.len, 5000), "listed");
}

/* ---- judges ---- */

static bool annex_kept(const struct tx_in *in)
{
    struct rd r = rd_of(in->witness.p, in->witness.n);
    struct span last = { 0 };
    for (uint32_t i = 0; i < in->witness_count; i++) last = tx_item(&r);
    return in->witness_count >= 3 && last.n >= 2 && last.p[0] == 0x50 && last.p[1] == 0;
}

static void put_signatures(struct wr *w, const struct tx *tx)
{
    uint32_t n = 0;
    for (size_t i = 0; i < tx->in_count; i++) n += tx->in[i].witness_count >= 2;
    wr_u16(w, 200);
    wr_var(w, "", 0);
    wr_u32(w, n);
    for (size_t i = 0; i < tx->in_count; i++) {
        if (tx->in[i].witness_count < 2) continue;
        uint8_t sig[64];
        memset(sig, (int)i + 1, sizeof sig);
        wr_u32(w, (uint32_t)i);
        wr_u8(w, annex_kept(&tx->in[i]));
        wr_bytes(w, sig, sizeof sig);
    }
    wr_u32(w, (uint32_t)tx->in_count);
    for (size_t i = 0; i < tx->in_count; i++) wr_u8(w, tx->in[i].witness_count >= 2 ? EMULATE_INPUT : SKIP_KEY_PATH);
}

static void put_refusal(struct wr *w, const char *text)
{
    wr_u16(w, 400);
    wr_var(w, text, strlen(text));
    wr_u32(w, 0);
    wr_var(w, "", 0);
}

static void put_bad_input(struct wr *w, uint32_t count)
{
    const uint8_t sig[64] = { 0 };
    wr_u16(w, 200);
    wr_var(w, "", 0);
    wr_u32(w, count);
    for (uint32_t i = 0; i < count; i++) {
        wr_u32(w, count == 1 ? 7 : 0);
        wr_u8(w, 0);
        wr_bytes(w, sig, sizeof sig);
    }
}

static void judge(struct peer *p, int *fd, const struct msg *m)
{
    EMULATE_REQUEST q = NULL;
    struct rd r = rd_of(m->body, m->len);
    if (m->type != JUDGE_SIGN || !rd_u64(&r)) die("not a JUDGE_SIGN");
    (void)rd_u32(&r);
    must(emulate_request_parse(&q, r.p, r.left), "a request that does not parse");
    const int version = q->tx->version;
    const size_t cap = 256 + q->tx->in_count * 70;
    uint16_t seq = m->seq, type = JUDGE_VERDICT;
    BYTES out = NULL;
    must(mem_new(&out, cap), "memory");
    struct wr w = wr_of(out, cap);
    p->asked++;
    switch (version) {
    case 1000: fd_close(fd); return;
    case 1001: must(msg_send_error(*fd, m, (err){ E_LIMIT }), "error"); return;
    case 1002: put_refusal(&w, "Unable to sign: Verification failed: Error!"); break;
    case 1003: return;
    case 1004: seq++; put_signatures(&w, q->tx); break;
    case 1005: put_bad_input(&w, 1); break;
    case 1006: type = BOOK_RECORDED; break;
    case 1007: put_refusal(&w, "a \"quote\", a \\, a \x01, \xc3\xa9"); break;
    case 1008: put_bad_input(&w, 2); break;
    default:   put_signatures(&w, q->tx); break;
    }
    must(wr_end(&w, "verdict"), "verdict");
    err_drop(msg_send(*fd, type, seq, out, w.len, 5000));
}

/* ---- the loop ---- */

static void serve(struct peer *p, int *fd)
{
    struct msg m;
    if (msg_recv(*fd, &m, p->room, ROOM, NULL, 5000).code) {
        fd_close(fd);
        return;
    }
    if (fd == &p->keeper && m.type == KEEPER_ATTEST) answer_attest(p, &m);
    else if (fd == &p->keeper && m.type == KEEPER_EVIDENCE) answer_evidence(p, &m);
    else if (fd == &p->keeper && peer_answer_secure(p->keeper, &m)) return;
    else if (fd == &p->keeper) answer_setup(p, &m);
    else if (fd == &p->disk) answer_disk(p, &m);
    else if (fd == &p->book) answer_book(p, &m);
    else if (fd == &p->control) { if (m.type != CTL_READY) die("not ready"); }
    else if (fd == &p->trial) peer_answer_trial(*fd, &m);
    else judge(p, fd, &m);
}

static int *named(struct peer *p, const char *name)
{
    if (strcmp(name, "keeper") == 0) return &p->keeper;
    if (strcmp(name, "disk") == 0) return &p->disk;
    if (strcmp(name, "book") == 0) return &p->book;
    if (strcmp(name, "judge") == 0) return &p->judge[0];
    die("no such peer");
    return NULL;
}

static void give_judges(struct peer *p)
{
    for (int i = 0; i < JUDGES; i++) {
        int fds[2];
        const uint8_t body[2] = { ROLE_JUDGE, (uint8_t)i };
        if (p->judge[i] >= 0) continue;
        pair(fds);
        must(msg_send_fd(p->control, CTL_GIVE, 0, body, sizeof body, fds[1]), "give");
        close(fds[1]);
        p->judge[i] = fds[0];
    }
}

/* A frame that this peer may not send like that. */
static void send_bad(struct peer *p, const char *name)
{
    const uint8_t junk[3] = { 1, 2, 3 };
    const uint16_t type = strcmp(name, "keeper") == 0 ? KEEPER_STATE : strcmp(name, "disk") == 0 ? DISK_STATE : JUDGE_VERDICT;
    must(msg_send(*named(p, name), type, 0, junk, sizeof junk, 5000), "bad");
}

static void command(struct peer *p, const char *verb, const char *name)
{
    if (strcmp(verb, "state") == 0) say_state(p, (unsigned)strtoul(name, NULL, 10));
    else if (strcmp(verb, "disk") == 0) say_disk(p, name[0] == '1');
    else if (strcmp(verb, "hold") == 0) p->held = true;
    else if (strcmp(verb, "go") == 0) p->held = false;
    else if (strcmp(verb, "silent") == 0) *(strcmp(name, "book") == 0 ? &p->book_silent : &p->keeper_silent) = true;
    else if (strcmp(verb, "loud") == 0) p->book_silent = p->keeper_silent = false;
    else if (strcmp(verb, "drop") == 0) fd_close(named(p, name));
    else if (strcmp(verb, "judges") == 0) give_judges(p);
    else if (strcmp(verb, "fail") == 0) p->disk_error = name[0] == '1';
    else if (strcmp(verb, "log") == 0) peer_say_log(p->disk);
    else if (strcmp(verb, "outcome") == 0) p->log.outcome = (unsigned)strtoul(name, NULL, 10);
    else if (strcmp(verb, "log-hold") == 0) p->log.held = true;
    else if (strcmp(verb, "log-go") == 0) peer_log_go(p->disk, &p->log);
    else if (strcmp(verb, "bad") == 0) send_bad(p, name);
    else if (strcmp(verb, "stop") == 0) must(msg_send(p->control, CTL_STOP, 0, NULL, 0, 5000), "stop");
    else if (strcmp(verb, "asked") != 0 && strcmp(verb, "log-held") != 0) die("no such command");
    if (strcmp(verb, "asked") == 0) printf("%u\n", p->asked);
    else if (strcmp(verb, "log-held") == 0) printf("%d\n", p->log.type != 0);
    else printf("ok\n");
    fflush(stdout);
}

static void read_command(struct peer *p)
{
    char line[128], verb[32] = "", name[32] = "";
    if (!fgets(line, sizeof line, stdin)) exit(0);
    if (sscanf(line, "%31s %31s", verb, name) < 1) die("an empty command");
    command(p, verb, name);
}

static void ended(struct peer *p)
{
    int status = 0;
    waitpid(p->child, &status, 0);
    printf("ended %d\n", WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status));
    fflush(stdout);
    exit(0);
}

static void turn(struct peer *p)
{
    int *fds[] = { &p->control, &p->keeper, &p->disk, &p->book, &p->judge[0], &p->judge[1], &p->trial };
    const bool mute[PEERS] = { false, p->keeper_silent, false, p->book_silent, p->held, p->held, false };
    struct pollfd set[PEERS + 2];
    for (size_t i = 0; i < PEERS; i++) set[i] = (struct pollfd){ .fd = mute[i] ? -1 : *fds[i], .events = POLLIN };
    set[PEERS] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
    set[PEERS + 1] = (struct pollfd){ .fd = p->child_out, .events = POLLIN };
    if (poll(set, PEERS + 2, -1) < 0 && errno != EINTR) die("poll");
    for (size_t i = 0; i < PEERS; i++)
        if (set[i].revents) serve(p, fds[i]);
    if (set[PEERS].revents) read_command(p);
    if (set[PEERS + 1].revents) ended(p);
}

int main(int argc, char **argv)
{
    struct peer p = { 0 };
    if (argc != 4) die("ADDRESS CONNECTIONS TIMEOUT");
    log_open("web_peer", LOG_ERROR);
    setvbuf(stdin, NULL, _IONBF, 0);         /* poll() must see every line */
    start(&p, argv);
    must(mem_new(&p.room, ROOM), "memory");
    for (;;) turn(&p);
}
