#include "daemon/role.h"

#include <linux/capability.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/sandbox.h"
#include "core/secret.h"
#include "daemon/roles.h"
#include "daemon/wire.h"

enum { TO_INIT = 1u << ROLE_INIT, TO_WEB = 1u << ROLE_WEB, TO_FETCH = 1u << ROLE_FETCH, TO_KEEPER = 1u << ROLE_KEEPER,
       TO_JUDGE = 1u << ROLE_JUDGE, TO_SIGN = 1u << ROLE_SIGN, TO_DISK = 1u << ROLE_DISK, TO_BOOK = 1u << ROLE_BOOK,
       TO_VOLUME = 1u << ROLE_VOLUME, TO_TRIAL = 1u << ROLE_TRIAL };
#define GETS(what) (1u << ((what) - GIVE_LISTEN))

/* Who may talk to whom, what each is given, and what it may ask of the kernel.
 * web has no channel to sign; judge is the only way to a signature; trial, which judges the same
 * and for dry runs, has no way at all. */
const struct role role_table[ROLES] = {
    [ROLE_INIT]   = { "init", 0, 0, 0, calls_init, NULL, 0, NULL, NULL },
    [ROLE_WEB]    = { "web", 0, TO_KEEPER | TO_JUDGE | TO_DISK | TO_BOOK | TO_TRIAL, GETS(GIVE_LISTEN), calls_web, calls_refused, 0, web_warm_up, web_main },
    [ROLE_FETCH]  = { "fetch", ROLE_RESTART, TO_KEEPER, 0, calls_fetch, calls_refused, 0, fetch_warm_up, fetch_main },
    [ROLE_KEEPER] = { "keeper", ROLE_ARENA, TO_WEB | TO_FETCH | TO_SIGN | TO_DISK, GETS(GIVE_NSM), calls_keeper, calls_refused, 192u << 10, keeper_warm_up, keeper_main },
    [ROLE_JUDGE]  = { "judge", ROLE_RESTART | ROLE_POOL, TO_WEB | TO_SIGN | TO_BOOK, 0, calls_judge, calls_refused, 0, judge_warm_up, judge_main },
    [ROLE_SIGN]   = { "sign", ROLE_ARENA, TO_JUDGE | TO_KEEPER, 0, calls_sign, calls_refused, 32u << 10, sign_warm_up, sign_main },
    [ROLE_DISK]   = { "disk", ROLE_ARENA, TO_KEEPER | TO_WEB | TO_BOOK | TO_VOLUME, 0, calls_disk, calls_refused, 32u << 10, disk_warm_up, disk_main },
    [ROLE_BOOK]   = { "book", 0, TO_JUDGE | TO_WEB | TO_DISK, 0, calls_book, calls_refused, 0, book_warm_up, book_main },
    [ROLE_VOLUME] = { "volume", ROLE_ARENA | ROLE_ON_CALL | ROLE_DEVICES, TO_DISK, 0, calls_volume, calls_refused_volume, 16u << 10, NULL, volume_main },
    [ROLE_TRIAL]  = { "trial", ROLE_RESTART, TO_WEB, 0, calls_judge, calls_refused, 0, judge_warm_up, trial_main },
};

const char *role_name(enum role_id id)
{
    return id < ROLES ? role_table[id].name : "unknown";
}

int role_exit_status(err e)
{
    return e.code ? 64 + (int)e.code : 0;
}

static err role_of(enum role_id *out, const char *name)
{
    for (int i = ROLE_WEB; i < ROLES; i++)
        if (strcmp(role_table[i].name, name) == 0) {
            *out = (enum role_id)i;
            return OK;
        }
    FAIL(E_FORMAT, "no role is called `%s`", name);
}

/* File a descriptor from init where it belongs. One that the table does not
 * grant this role is a fault of init's, and ends the role. */
static err file_given(struct role_env *env, const struct msg *m, int *pass)
{
    struct rd r = rd_of(m->body, m->len);
    unsigned what = rd_u8(&r), instance = rd_u8(&r);
    TRY(rd_end(&r, "CTL_GIVE"));
    if (*pass < 0) FAIL(E_FORMAT, "CTL_GIVE came without a descriptor");
    int *slot = NULL;
    if (what < ROLES && (role_table[env->id].talks_to & 1u << what)) {
        if (what != ROLE_JUDGE) slot = &env->peer[what];
        else if (instance < JUDGES_MAX) slot = &env->judge[instance];
    } else if (what >= GIVE_LISTEN && what <= GIVE_EGRESS && (role_table[env->id].gets & GETS(what))) {
        slot = &env->given[what - GIVE_LISTEN];
    }
    if (!slot) FAIL(E_STATE, "init gave something that this role may not have (%u)", what);
    fd_close(slot);
    *slot = take_fd(pass);
    if (what == ROLE_JUDGE && instance >= env->judges) env->judges = instance + 1;
    return OK;
}

static err take_in(struct role_env *env, const struct msg *m, int *pass)
{
    if (m->type == CTL_GIVE) return file_given(env, m, pass);
    if (m->type == CTL_STOP && m->len == 0) {
        env->stopping = true;
        return OK;
    }
    FAIL(E_FORMAT, "unexpected frame %u from init", m->type);
}

err role_control(struct role_env *env, bool *stop)
{
    uint8_t room[64];
    struct msg m;
    FD pass = -1;
    TRY(msg_recv(env->control, &m, room, sizeof room, &pass, 5000));
    TRY(take_in(env, &m, &pass));
    *stop = env->stopping;
    return OK;
}

err role_ask_init(struct role_env *env, uint16_t type, const void *body, size_t n, int *fd, int deadline_ms)
{
    uint16_t seq = ++env->asked ? env->asked : ++env->asked;   /* 0 is for what init says unasked */
    TRY(msg_send(env->control, type, seq, body, n, 5000));
    for (;;) {
        uint8_t room[64];
        struct msg m;
        FD pass = -1;
        TRY(msg_recv(env->control, &m, room, sizeof room, &pass, deadline_ms));
        if (m.seq != seq) {
            TRY(take_in(env, &m, &pass));
            continue;
        }
        if (m.type == MSG_ERROR) {
            enum err_code code = m.len == 1 && m.body[0] && m.body[0] < E_CODES ? (enum err_code)m.body[0] : E_FORMAT;
            FAIL(code, "init refused request %u", type);
        }
        if (m.type != CTL_DONE && m.type != CTL_GIVE) FAIL(E_FORMAT, "init answered with frame %u", m.type);
        if ((pass >= 0) != (fd != NULL)) FAIL(E_FORMAT, "init's answer to %u has the wrong number of descriptors", type);
        if (fd) *fd = take_fd(&pass);
        return OK;
    }
}

err role_want(struct role_env *env, int give, uint8_t which, int *fd)
{
    const uint8_t body[2] = { (uint8_t)give, which };
    return role_ask_init(env, CTL_WANT, body, sizeof body, fd, 10000);
}

/* Configuration first, then descriptors, then CTL_GO: in this order and once. */
static err outfit(struct role_env *env)
{
    _Static_assert(sizeof(struct daemon_config) < 16384, "the configuration must fit its frame");
    uint8_t room[16384];
    struct msg m;
    TRY(msg_recv(env->control, &m, room, sizeof room, NULL, 20000));
    if (m.type != CTL_CONFIG || m.len != sizeof env->config) FAIL(E_FORMAT, "init did not begin with the configuration");
    memcpy(&env->config, m.body, sizeof env->config);
    for (;;) {
        FD pass = -1;
        TRY(msg_recv(env->control, &m, room, sizeof room, &pass, 60000));
        if (m.type == CTL_GO) return OK;
        TRY(take_in(env, &m, &pass));
    }
}

static enum log_level level_of(const char *word)
{
    return strcmp(word, "debug") == 0 ? LOG_DEBUG : strcmp(word, "warn") == 0 ? LOG_WARN
         : strcmp(word, "error") == 0 ? LOG_ERROR : LOG_INFO;
}

static err live(struct role_env *env)
{
    const struct role *r = &role_table[env->id];
    TRY(sandbox_close_fds((const int[]){ CONTROL_FD }, 1));
    tzset();                               /* or the first date that libc formats opens a file */
    TRY(outfit(env));
    log_open(r->name, level_of(env->config.log_level));
    if (r->flags & ROLE_ARENA) {
        TRY(crypto_warm_up());
        TRY(secret_arena_open(r->arena));
    }
    if (r->warm_up) TRY(r->warm_up(env));
    const struct sandbox box = {
        .uid = r->flags & ROLE_DEVICES ? 0 : (uid_t)(env->config.uid_base + (unsigned)env->id),
        .keep_caps = r->flags & ROLE_DEVICES ? 1ull << CAP_SYS_ADMIN | 1ull << CAP_MKNOD | 1ull << CAP_CHOWN : 0, .calls = r->calls, .refused = r->refused,
        .max_fds = env->id == ROLE_WEB ? (unsigned)env->config.web_connections + 128 : 64,
    };
    TRY(sandbox_enter(&box));
    TRY(msg_send(env->control, CTL_READY, 0, NULL, 0, 5000));
    return r->main(env);
}

int role_process(const char *name, unsigned instance)
{
    struct role_env env = { 0 };
    log_open(name, LOG_INFO);
    if (role_of(&env.id, name).code) return role_exit_status((err){ E_FORMAT });
    log_open(role_name(env.id), LOG_INFO);
    env.instance = instance;
    env.control = CONTROL_FD;
    for (int i = 0; i < ROLES; i++) env.peer[i] = -1;
    for (int i = 0; i < JUDGES_MAX; i++) env.judge[i] = -1;
    for (size_t i = 0; i < sizeof env.given / sizeof *env.given; i++) env.given[i] = -1;
    err e = live(&env);
    secret_arena_close();
    if (e.code) log_error("this role ends: %s", err_text(e.code));
    return role_exit_status(e);
}
