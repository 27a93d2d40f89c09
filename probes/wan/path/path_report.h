/* What a finished trace means in the words of the readings; pure. */
#ifndef HT_PROBES_WAN_REPORT_H
#define HT_PROBES_WAN_REPORT_H

#include "probes/wan/path/path_rules.h"
#include "probes/wan/path/trace.h"

#define PATH_REASON_MAX 1024

/* "ok", "unreachable", "incomplete" (some hops answered), "timeout" (none), "denied" or
 * "error". */
const char *path_report_status(const struct trace *t);

/* The same of an errno of opening or sending. */
const char *path_report_errno(int err_no);

/* Whose network the path is. `out` gets the verdict's sentence and, behind it, why the
 * trace stopped before the target, and how many forged answers were ignored. */
enum path_network path_report_network(const struct trace *t,
    const struct path_rules *rules, char out[static PATH_REASON_MAX]);

#endif
