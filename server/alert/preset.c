#include "server/alert/preset.h"

#include <string.h>

#include "base/err.h"

/* Vietnamese first, then English. */
#define MARK                                                                              \
	"{{#is_resolved}}✅{{/is_resolved}}{{^is_resolved}}{{#is_test}}🔔{{/is_test}}" \
	"{{^is_test}}🔴{{/is_test}}{{/is_resolved}}"
#define NAMES                                                                          \
	"{{#affected:20}}\n• {{name:80}}{{/affected}}{{#n_more}}\n… (+{{n_more}})" \
	"{{/n_more}}"
#define CHAT                                                                      \
	MARK " {{kind_vi}}: {{title_vi:200}}\n{{text_vi:700}}"                    \
	     "{{#opened_local}}\nTừ {{opened_local}}{{/opened_local}}"          \
	     "{{#closed_local}}\nĐến {{closed_local}}{{/closed_local}}"        \
	     "{{#duration_vi}} ({{duration_vi}}){{/duration_vi}}" NAMES           \
	     "{{^is_resolved}}{{#ack_url}}\nXác nhận: {{ack_url}}{{/ack_url}}" \
	     "{{/is_resolved}}\n—\n{{kind_en}}: {{title_en:200}}\n{{text_en:400}}"

/* JSON escapes a template's own newlines too: they are written \\n there. */
#define MARK_J MARK
#define NAMES_J                                                                          \
	"{{#affected:20}}\\n• {{name:80}}{{/affected}}{{#n_more}}\\n… (+{{n_more}})" \
	"{{/n_more}}"
#define CHAT_J                                                                       \
	MARK_J " {{kind_vi}}: {{title_vi:200}}\\n{{text_vi:500}}"                    \
	       "{{#opened_local}}\\nTừ {{opened_local}}{{/opened_local}}"          \
	       "{{#closed_local}}\\nĐến {{closed_local}}{{/closed_local}}"        \
	       "{{#duration_vi}} ({{duration_vi}}){{/duration_vi}}" NAMES_J          \
	       "{{^is_resolved}}{{#ack_url}}\\nXác nhận: {{ack_url}}{{/ack_url}}" \
	       "{{/is_resolved}}\\n—\\n{{kind_en}}: {{title_en:200}}"

#define AM_LABELS                                                                  \
	"\"alertname\":\"{{rule}}\",\"severity\":\"{{severity}}\",\"incident\":\"" \
	"{{incident}}\""
#define AM_ALERT(labels, summary, since)                                               \
	"{\"status\":\"{{status}}\",\"labels\":{" AM_LABELS labels "},"                \
	"\"annotations\":{\"summary\":\"" summary "\"},\"startsAt\":\"" since "\","    \
	"\"endsAt\":\"{{#closed}}{{closed}}{{/closed}}{{^closed}}0001-01-01T00:00:00Z" \
	"{{/closed}}\",\"generatorURL\":\"{{ack_url}}\",\"fingerprint\":\""            \
	"{{fingerprint}}\"}"

#define AM_SINCE "{{#since}}{{since}}{{/since}}{{^since}}{{opened}}{{/since}}"

/* clang-format off */
const struct preset presets[] = {
	{ .kind = "telegram",
	    .help = "a bot's message to a person or group",
	    .url = "https://api.telegram.org/bot%s/sendMessage",
	    .content_type = "application/json",
	    .body = "{\"chat_id\":\"{{param.chat}}\",\"disable_web_page_preview\":true,"
		    "\"text\":\"" CHAT_J "\"}",
	    .params = { "chat" },
	    .reply_field = "ok",
	    .reply_value = "true" },
	{ .kind = "zalo-oa",
	    .help = "a message of a Zalo Official Account to one who follows it",
	    .url = "https://openapi.zalo.me/v3.0/oa/message/cs",
	    .header = "access_token",
	    .prefix = "",
	    .content_type = "application/json",
	    .body = "{\"recipient\":{\"user_id\":\"{{param.user}}\"},\"message\":{"
		    "\"text\":\"" CHAT_J "\"}}",
	    .params = { "user" },
	    .reply_field = "error",
	    .reply_value = "0" },
	{ .kind = "slack",
	    .help = "an incoming webhook of Slack or Mattermost; its url is the secret",
	    .content_type = "application/json",
	    .body = "{\"text\":\"" CHAT_J "\"}" },
	{ .kind = "ntfy",
	    .help = "a topic of ntfy; a token where the server wants one",
	    .url = "https://ntfy.sh/",
	    .header = "Authorization",
	    .prefix = "Bearer ",
	    .content_type = "application/json",
	    .body = "{\"topic\":\"{{param.topic}}\",\"title\":\"{{kind_vi}}: "
		    "{{title_vi:200}}\",\"priority\":{{priority}},\"message\":\"" CHAT_J
		    "\"{{#ack_url}},\"click\":\"{{ack_url}}\"{{/ack_url}}}",
	    .params = { "topic" } },
	{ .kind = "sms-gateway",
	    .help = "a gateway that takes a form; its url and fields are the file's",
	    .header = "Authorization",
	    .prefix = "Bearer ",
	    .content_type = "application/x-www-form-urlencoded",
	    .body = "to={{param.to}}&text={{kind_vi}}%3A%20{{title_vi:120}}",
	    .params = { "to" } },
	{ .kind = "alertmanager",
	    .help = "the webhook JSON of Prometheus Alertmanager, version 4",
	    .header = "Authorization",
	    .prefix = "Bearer ",
	    .content_type = "application/json",
	    .body = "{\"version\":\"4\",\"groupKey\":\"{{incident}}\","
		    "\"truncatedAlerts\":{{n_more}},\"status\":\"{{status}}\","
		    "\"receiver\":\"{{channel}}\",\"groupLabels\":{\"incident\":"
		    "\"{{incident}}\"},\"commonLabels\":{" AM_LABELS "},"
		    "\"commonAnnotations\":{\"summary\":\"{{title_vi}}\","
		    "\"description\":\"{{text_vi}}\"},\"externalURL\":"
		    "\"{{public_url}}\",\"alerts\":[{{#affected}}{{^first}},{{/first}}" AM_ALERT(
			",\"id\":\"{{id}}\"", "{{name}}", AM_SINCE)
		    "{{/affected}}{{^affected}}" AM_ALERT("", "{{title_vi}}", "{{opened}}")
		    "{{/affected}}]}",
	    .can_edit = true },
};
/* clang-format on */
const size_t presets_len = HT_COUNT(presets);

const struct preset *preset_find(const char *kind)
{
	for (size_t i = 0; i < presets_len; i++) {
		if (strcmp(presets[i].kind, kind) == 0)
			return &presets[i];
	}
	return NULL;
}

/* Updates keep the first one's subject apart from its mark: programs thread by headers,
 * people by eye. */
const char preset_subject[] =
    "[hatang] {{#is_resolved}}{{kind_vi}}: {{/is_resolved}}{{#is_test}}{{kind_vi}}: "
    "{{/is_test}}{{title_vi:150}}{{#title_en}} / {{title_en:100}}{{/title_en}}";

const char preset_text[] =
    CHAT "{{#opened}}\n\n{{opened}}{{#closed}} – {{closed}}{{/closed}}{{/opened}}\n"
	 "{{#cause}}Nguyên nhân / cause: {{cause}}\n{{/cause}}"
	 "{{#provider}}Nhà mạng / provider: {{provider}}\n{{/provider}}"
	 "{{#incident}}Sự cố / incident: {{incident}}\n{{/incident}}";

const char preset_html[] =
    "<!DOCTYPE html><html lang=\"vi\"><body style=\"font-family:sans-serif\">"
    "<h2>{{kind_vi}}: {{title_vi}}</h2><p style=\"white-space:pre-line\">{{text_vi}}</p>"
    "<p>{{#opened_local}}Từ {{opened_local}}{{/opened_local}}{{#closed_local}} đến "
    "{{closed_local}}{{/closed_local}}{{#duration_vi}} ({{duration_vi}})"
    "{{/duration_vi}}</p>{{#affected}}{{#first}}<ul>{{/first}}<li>{{name}}</li>"
    "{{/affected}}{{#affected:1}}</ul>{{/affected}}{{#n_more}}<p>… (+{{n_more}})</p>"
    "{{/n_more}}{{^is_resolved}}{{#ack_url}}<p><a href=\"{{ack_url}}\">Xác nhận / "
    "acknowledge</a></p>{{/ack_url}}{{/is_resolved}}<hr><h3>{{kind_en}}: {{title_en}}"
    "</h3><p style=\"white-space:pre-line\">{{text_en}}</p>"
    "{{#incident}}<p><small>{{incident}}</small></p>{{/incident}}</body></html>\r\n";

const char preset_json[] =
    "{\"key\":\"{{key}}\",\"kind\":\"{{kind}}\",\"status\":\"{{status}}\",\"incident\":"
    "\"{{incident}}\",\"severity\":\"{{severity}}\",\"rule\":\"{{rule}}\",\"subject\":"
    "\"{{subject}}\",\"title_vi\":\"{{title_vi}}\",\"title_en\":\"{{title_en}}\","
    "\"text_vi\":\"{{text_vi}}\",\"text_en\":\"{{text_en}}\",\"agency\":\"{{agency}}\","
    "\"link\":\"{{link}}\",\"provider\":\"{{provider}}\",\"cause\":\"{{cause}}\","
    "\"opened\":\"{{opened}}\",\"closed\":\"{{closed}}\",\"duration_s\":{{duration_s}},"
    "\"n_affected\":{{n_affected}},\"affected\":[{{#affected}}{{^first}},{{/first}}"
    "{\"id\":\"{{id}}\",\"name\":\"{{name}}\",\"since\":\"{{since}}\"}{{/affected}}],"
    "\"ack_url\":\"{{ack_url}}\"}";
