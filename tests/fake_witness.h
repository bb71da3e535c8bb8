/* fake_witness.h - witnesses in processes of their own that keep or break the protocol as a test tells them to. */
#ifndef TESTS_FAKE_WITNESS_H
#define TESTS_FAKE_WITNESS_H
#include <stdint.h>
#include <sys/types.h>

enum fake_mood {
    FAKE_HONEST,                             /* as the specification says; remembers, knows the log `origin` of key 1 */
    FAKE_STATUS,                             /* `number` and nothing else                         */
    FAKE_HUNG,                               /* takes the request and says nothing                */
    FAKE_DEAD,                               /* nobody listens                                    */
    FAKE_LATE,                               /* honest, a fifth of a second later                 */
    FAKE_MOODY,                              /* 503 `number` times, then honest                   */
    FAKE_BREAKS,                             /* closes the connection `number` times, then honest */
    FAKE_FORGETS,                            /* does what was asked but closes the connection the first time */
    FAKE_FORGED,                             /* signs with another key                            */
    FAKE_BEFORE,                             /* signs another checkpoint                          */
    FAKE_RUBBISH,                            /* 200 and no signature line                         */
    FAKE_LONG,                               /* 200 and 1 MiB                                     */
    FAKE_TELLS,                              /* 409 that tells `number`                           */
    FAKE_WAVERS,                             /* 409 that tells another size each time             */
    FAKE_TYPELESS,                           /* 409 that tells 1 as text/plain                    */
    FAKE_REDIRECTS                           /* 302 to the same place                             */
};

/* Shared with the witness: what it saw. */
struct fake_seen { unsigned requests; uint64_t old[16]; uint64_t size; };
struct fake { enum fake_mood mood; uint64_t number; uint8_t seed; const char *origin; unsigned port; pid_t pid; struct fake_seen *seen; };

/* Start it: fills port, pid and seen. */
void fake_start(struct fake *f);
void fake_stop(struct fake *f);

#endif
