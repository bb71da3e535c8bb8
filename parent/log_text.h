/* log_text.h - an entry of the service's log for people and programs. */
#ifndef PARENT_LOG_TEXT_H
#define PARENT_LOG_TEXT_H
#include <jansson.h>
#include "policy/entry.h"

/* Its members: index, kind, time, and what its kind has; hashes in hex; `raw`, the entry's bytes in base64, which `log verify` reads. An entry that cannot be read
 * has kind "unknown". NULL: no memory. */
json_t *log_entry_json(uint64_t index, const uint8_t *p, size_t n);
/* One line for it, made from that. */
void log_entry_say(const json_t *entry);

#endif
