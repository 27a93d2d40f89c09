/* SQL that limits rows to an account's scope. */
#ifndef HT_SERVER_WEB_SCOPE_H
#define HT_SERVER_WEB_SCOPE_H

/* `column` lies in the scope `arg`: NULL sees everything, an agency sees itself and all
 * below it. A column that is NULL (no agency) is seen by who sees everything. UNION (not
 * UNION ALL) ends even when parents run in a circle. */
#define IN_SCOPE(column, arg)                                                          \
	"(" arg " IS NULL OR " column " IN (WITH RECURSIVE below (id) AS (SELECT " arg \
	" UNION SELECT a.id FROM agency a JOIN below b ON a.parent = b.id) SELECT id " \
	"FROM below))"

#endif
