// Score and folds say why in English sentences; here they are in Vietnamese. What is not in the
// table is shown as the server said it.
import { lang } from "./i18n";

const rows: [RegExp, string][] = [
  [/^its number of civil servants is 0$/, "số CBCCVC ghi là 0"],
  [/^its number of civil servants is not known$/, "chưa biết số CBCCVC"],
  [/^enter its number of civil servants with the date it holds for$/, "nhập số CBCCVC kèm ngày tính"],
  [/^no agent measures its network$/, "chưa có trạm đo trong mạng của cơ quan"],
  [/^its agent has scanned no subnet$/, "trạm đo chưa quét mạng con nào"],
  [/^its agent could ask no address of its subnets$/, "trạm đo chưa hỏi được địa chỉ nào trong mạng con"],
  [/^approve the agent's proposed configuration with a scan of its subnets$/, "duyệt cấu hình do trạm đo đề xuất, có quét mạng con"],
  [/^enrol an agent in its network, or let its router be read by SNMP$/, "ghi danh một trạm đo trong mạng, hoặc cho đọc bộ định tuyến bằng SNMP"],
  [/^only (\d+) % of its addresses × hours were looked at/, "mới xem được $1 % số địa chỉ × giờ"],
  [/^no contracted rate of its links is known$/, "chưa biết tốc độ hợp đồng của các đường truyền"],
  [/^no link of its is registered$/, "chưa đăng ký đường truyền nào"],
  [/^enter the contracted rates of its links$/, "nhập tốc độ hợp đồng của các đường truyền"],
  [/^enter its links with their contracted rates$/, "nhập các đường truyền kèm tốc độ hợp đồng"],
  [/^enter its links and of which kind they are$/, "nhập các đường truyền và loại của chúng"],
  [/^its link is registered, but nothing measures it$/, "đường truyền đã đăng ký nhưng chưa có gì đo"],
  [/^its WAN link is registered, but nothing has measured it within the window$/, "đường WAN đã đăng ký nhưng chưa được đo trong kỳ"],
  [/^let its own agent or a vantage ping the link's router$/, "cho trạm đo tại chỗ hoặc trạm trung tâm ping bộ định tuyến"],
  [/^its declarations have expired and nothing was measured$/, "khai báo đã hết hạn và chưa đo được gì"],
  [/^no solution was measured or declared$/, "chưa có giải pháp nào được đo hoặc khai báo"],
  [/^(\d+) of (\d+) solutions are neither measured nor declared(, some declarations have expired)?$/, "$1 trên $2 giải pháp chưa được đo hoặc khai báo"],
  [/^declare the solutions that cannot be measured, with a document$/, "khai báo các giải pháp không đo được, kèm văn bản"],
  [/^enrol an agent in its network, and declare what cannot be measured$/, "ghi danh một trạm đo trong mạng, và khai báo những gì không đo được"],
  [/^it only groups other agencies and has nothing of its own$/, "đơn vị này chỉ gom các cơ quan khác"],
  [/^enter its civil servants or links if it is an agency itself$/, "nếu là cơ quan, nhập số CBCCVC hoặc đường truyền của nó"],
  [/^no agency is counted here$/, "chưa có cơ quan nào được tính ở đây"],
  [/^enter the agencies$/, "nhập danh sách cơ quan"],
  [/^enter the missing numbers of civil servants, then see the agencies below$/, "nhập số CBCCVC còn thiếu, rồi xem các cơ quan bên dưới"],
  [/^see the agencies below for what each one lacks$/, "xem từng cơ quan bên dưới còn thiếu gì"],
  [/^see the agencies below for what is measured in part$/, "xem các cơ quan bên dưới mới đo được một phần"],
  [/^no agent measures this link.*$/, "chưa có trạm đo nào đo đường truyền này: nhập địa chỉ bộ định tuyến cho trạm trung tâm, hoặc đặt trạm đo tại chỗ"],
  // States of links.
  [/^never measured$/, "chưa từng được đo"],
  [/^the agent that measures it is (cut off|switched off), and says nothing about the link$/, "trạm đo của nó không còn liên lạc nên không nói gì được về đường truyền"],
  [/^the agent that measures it sees nothing at all$/, "trạm đo của nó không nhìn thấy gì cả"],
  [/^the server was away, and has not heard of it since$/, "máy chủ vừa ngừng và chưa nhận lại số đo"],
  [/^not measured since (.+)$/, "không được đo từ $1"],
  [/^its device says that the interface is (.+)$/, "thiết bị báo cổng: $1"],
  [/^it answers pings$/, "trả lời ping"],
  [/^pings are lost, minute after minute$/, "mất gói ping nhiều phút liền"],
  [/^it did not answer while the agent saw nothing at all$/, "không trả lời trong lúc trạm đo không nhìn thấy gì"],
  [/^no ping of a burst of twenty was answered$/, "hai mươi gói ping liên tiếp không có trả lời"],
  [/^the newest round of pings was answered$/, "lượt ping mới nhất có trả lời"],
  [/^(.+) of the newest round of pings was lost$/, "lượt ping mới nhất mất $1"],
  [/^(.+) rounds of pings in a row got no reply$/, "$1 lượt ping liền không có trả lời"],
  [/^the newest round of pings got no reply; the next one decides$/, "lượt ping mới nhất không có trả lời; lượt sau quyết định"],
  [/^the first round of pings got no reply; one alone decides nothing$/, "lượt ping đầu tiên không có trả lời; một lượt chưa nói lên gì"],
  [/^its device answers by SNMP$/, "thiết bị trả lời SNMP"],
  [/^it could not be pinged: (.+)$/, "không ping được: $1"],
  [/^it was not pinged, and SNMP said (.+)$/, "không được ping, và SNMP báo $1"],
  [/^it does not answer pings, but data comes over it$/, "không trả lời ping nhưng dữ liệu vẫn chạy qua"],
  [/^what it hangs on is dead: (.+)$/, "đường phía trên đã mất: $1"],
  [/^what it hangs on is back; it has a moment to answer$/, "đường phía trên đã có lại; đang chờ nó trả lời"],
  // Causes of outages.
  [/^A link that this one depends on was down, so it could not be reached\.$/, "Đường mà nó phụ thuộc bị mất nên không tới được."],
  [/^The measuring side was blind or stopped when it began, and nothing says that the link itself was dead\.$/, "Phía đo bị mù hoặc dừng lúc bắt đầu; không có gì cho thấy chính đường truyền mất."],
  [/^The machine inside fell silent with the link and came back with a new boot id: the power was gone, or the machine was switched off\.$/, "Máy tại cơ quan im lặng cùng đường truyền và trở lại sau khi khởi động lại: mất điện, hoặc máy bị tắt."],
  [/^The router's uptime began anew within the outage\.$/, "Bộ định tuyến đã khởi động lại trong lúc mất."],
  [/^The gateway did not answer inside although the router ran all the time: the fault lay between them in the local network\.$/, "Gateway không trả lời bên trong dù bộ định tuyến vẫn chạy: lỗi ở mạng nội bộ giữa chúng."],
  [/^The gateway stopped answering inside as well: router or modem\.$/, "Gateway bên trong cũng ngừng trả lời: bộ định tuyến hoặc modem."],
  [/^The router reported the line's interface down\.$/, "Bộ định tuyến báo cổng của đường truyền bị down."],
  [/^From inside the far end did not answer while what lies beyond it did: the line carried traffic\.$/, "Từ bên trong, đầu xa không trả lời nhưng những gì phía sau nó có: đường truyền vẫn chạy."],
  [/^From inside the gateway answered and the far end of the line did not\.$/, "Từ bên trong, gateway trả lời còn đầu xa của đường truyền thì không."],
  [/^The agent or its machine started again, and nothing else says that the link was dead\.$/, "Trạm đo hoặc máy của nó khởi động lại; không có gì khác cho thấy đường truyền mất."],
  [/^From inside the far end answered all the time: the fault lay between it and the core\.$/, "Từ bên trong, đầu xa vẫn trả lời suốt: lỗi nằm giữa nó và trung tâm."],
  [/^From inside the far end did not answer, but nobody measures the gateway there\.$/, "Từ bên trong, đầu xa không trả lời, nhưng ở đó không ai đo gateway."],
  [/^There is no record from inside: no agent, or it has not reported yet\.$/, "Không có bản ghi từ bên trong: chưa có trạm đo, hoặc nó chưa báo về."],
  [/^What was recorded inside does not name a cause\.$/, "Bản ghi bên trong chưa chỉ ra nguyên nhân."],
  // States of agencies.
  [/^by its links$/, "theo các đường truyền của nó"],
  [/^backup (\S+) carries it$/, "đang chạy bằng đường dự phòng $1"],
  [/^its primary link is dead, and a backup carries it$/, "đường chính đã mất, đường dự phòng đang thay"],
  // Decisions of alerts.
  [/^it is part of (\S+)$/, "thuộc về sự cố $1"],
  [/^(\S+) is part of it, which was told of$/, "$1 nay thuộc về sự cố này, và đã được báo"],
  [/^(\S+) is part of it$/, "$1 nay thuộc về sự cố này"],
  [/^rule (\S+) matches (\S+) of (\S+)$/, "quy tắc $1 khớp với $2 của $3"],
  [/^to be told at (\S+) if it lasts: hold time, hours, or others that begin with it$/, "sẽ báo lúc $1 nếu còn kéo dài: thời gian chờ, giờ làm việc, hoặc đợi các nơi mất cùng lúc"],
  [/^(\d+) failures of (\S+) (.+) began together: one incident$/, "$1 nơi cùng mất một lúc ($2 $3): gộp thành một sự cố"],
  [/^it began it$/, "sự cố bắt đầu từ nó"],
  [/^it failed with the others$/, "mất cùng lúc với các nơi khác"],
  [/^its group has failed$/, "cả nhóm của nó đã mất"],
  [/^no rule matches (\S+) of (\S+)$/, "không quy tắc nào khớp với $1 của $2"],
  [/^maintenance until (\S+); looked at again then$/, "đang bảo trì đến $1; lúc đó sẽ xét lại"],
  [/^what explains it is a member$/, "nguyên nhân của nó đã nằm trong sự cố này"],
  [/^it is of the same episode or agency$/, "cùng đợt hoặc cùng cơ quan"],
  [/^what it hangs on is dead; that is in no incident$/, "đường phía trên đã mất, nhưng không thuộc sự cố nào"],
  [/^all its problems are over$/, "mọi vấn đề của nó đã hết"],
  [/^it was over before it was to be told$/, "đã hết trước lúc phải báo"],
  [/^by (.+); no further escalation$/, "$1 đã nhận; không báo lên cấp trên nữa"],
  [/^(announce|update|digest|escalate|resolve) to (.+)$/, "đã gửi ($1) tới $2"],
  [/^(\d+) announcements of rule (\S+) within its window already; told later if it lasts$/, "quy tắc $2 đã báo $1 lần trong thời hạn; sẽ báo sau nếu còn kéo dài"],
  [/^its rule names no channel, or none is configured$/, "quy tắc không nêu kênh nào, hoặc chưa có kênh nào được cấu hình"],
  [/^its rule is gone from the rules$/, "quy tắc của nó không còn"],
  [/^it began before what is told live$/, "bắt đầu trước lúc bật báo tin"],
];

// The sum's reason is made of parts divided by commas and semicolons.
const parts: [RegExp, string][] = [
  [/^(\d+) of (\d+) agencies are known$/, "đã biết $1 trên $2 cơ quan"],
  [/^(\d+) of them in part$/, "trong đó $1 mới một phần"],
  [/^(\d+) without a number of civil servants$/, "$1 chưa có số CBCCVC"],
  [/^(\d+) not measured$/, "$1 chưa được đo"],
];

const one = (table: [RegExp, string][], text: string): string | undefined => {
  const row = table.find(([r]) => r.test(text));
  return row && text.replace(row[0], row[1]);
};

export function sentence(text: string): string {
  if (lang() !== "vi") return text;
  const doubt = /^(.+), though agent (\S+) gets no reply$/.exec(text);
  if (doubt) return `${sentence(doubt[1])}, dù trạm đo ${doubt[2]} không nhận được trả lời`;
  const whole = one(rows, text);
  if (whole !== undefined) return whole;
  const split = text.split(/, |; /).map((p) => one(parts, p));
  return split.every((p) => p !== undefined) ? split.join("; ") : text;
}
