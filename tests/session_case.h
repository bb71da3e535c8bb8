/* session_case.h - a link session whose answers are kept: frames go in one by one. */
#ifndef TESTS_SESSION_CASE_H
#define TESTS_SESSION_CASE_H
#include <stdbool.h>
#include "parent/session.h"

enum { FRAMES = 16 };
struct sent { unsigned count; uint16_t type[FRAMES], seq[FRAMES]; size_t len[FRAMES]; uint8_t body[FRAMES][64]; err fails; };
struct rig { struct store_backend *store; struct session session; struct sent sent; };

/* A session's `out`; self is struct sent. It fails as `fails` says. */
err  keep_frame(void *self, uint16_t type, uint16_t seq, const void *body, size_t n);
/* Forget what was said, and put one frame in. */
err  frame(struct rig *r, uint16_t type, const void *body, size_t n);
/* Was this the only answer? */
bool said(const struct rig *r, uint16_t type);
bool said_error(const struct rig *r, enum err_code code);
struct bad { uint16_t type; size_t len; const char *body; bool in_put; enum err_code code; };

#endif
