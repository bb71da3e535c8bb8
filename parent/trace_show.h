/* trace_show.h - the trace of a dry run (docs/api.md, POST /verify), for people. */
#ifndef PARENT_TRACE_SHOW_H
#define PARENT_TRACE_SHOW_H
#include <jansson.h>

/* Print `trace`, an answer's member of that name; what is not of its shape is left out. */
void trace_show(const json_t *trace);
/* Print what an answer says of each input, then its trace. */
void trace_show_valid(const json_t *body);

#endif
