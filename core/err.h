/* err.h - how a function says it failed.
 *
 * Every function that can fail returns an `err`. It is a struct so that the
 * compiler refuses to mix it with an int, and nodiscard so that it refuses to
 * drop it. The code says what the CALLER may do about it; the reason is logged
 * once, where the failure is found, and never sent to a peer. */
#ifndef CORE_ERR_H
#define CORE_ERR_H

typedef struct [[nodiscard]] err {
    enum err_code {
        E_OK,
        E_FORMAT,  /* the bytes are not well formed         -> 400 */
        E_LIMIT,   /* well formed but larger than we accept -> 413 */
        E_AUTH,    /* a MAC, signature or attestation fails -> 401 */
        E_DENIED,  /* authentic, and policy says no         -> 403 */
        E_STATE,   /* not now: wrong order, used up, replay -> 409 */
        E_ABSENT,  /* no such key, session, generation      -> 404 */
        E_CLOSED,  /* the peer ended the stream             -> 502 */
        E_TIMEOUT, /* the deadline passed                   -> 504 */
        E_IO,      /* the system refused; errno was logged  -> 500 */
        E_MEMORY,  /* no memory, or no room in the arena    -> 500 */
        E_CODES
    } code;
} err;

#define OK ((err){ E_OK })

/* Log the reason with its place, and return the code. */
#define FAIL(code_, ...) return err_log((code_), __FILE__, __LINE__, __VA_ARGS__)

/* Pass a callee's failure up unchanged. The only macro that hides a return. */
#define TRY(call) do { err try_ = (call); if (try_.code) return try_; } while (0)

/* An invariant. Checked in release builds too; a breach ends the process. */
#define MUST(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))

/* A failure that is deliberately not passed on, because the caller has a
 * better answer already. Names the act so that a reader can find them all. */
static inline void err_drop(err e) { (void)e; }

err err_log(enum err_code code, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void must_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

/* Words of a code ("bad format"), for logs and command lines. Never NULL. */
const char *err_text(enum err_code code);
/* The HTTP status a code maps to (table above); E_OK gives 200. */
int err_http(enum err_code code);

#endif
