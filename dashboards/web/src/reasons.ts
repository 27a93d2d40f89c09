// Score and folds say why in English sentences; here they are in Vietnamese. What is not in the
// table is shown as the server said it.
import { lang, word } from "./i18n";

const rows: [RegExp, string][] = [
  [/^its number of civil servants is 0$/, "số CBCCVC ghi là 0"],
  [/^its number of civil servants is not known$/, "chưa biết số CBCCVC"],
  [/^enter its number of civil servants with the date it holds for$/, "nhập số CBCCVC kèm ngày tính"],
  [/^no agent measures its network$/, "chưa có trạm đo trong mạng của cơ quan"],
  [/^its agent has scanned no subnet$/, "trạm đo chưa quét mạng con nào"],
  [/^its agent could ask no address of its subnets$/, "trạm đo chưa hỏi được địa chỉ nào trong mạng con"],
  [/^approve the agent's proposed configuration with a scan of its subnets$/, "duyệt cấu hình do trạm đo đề xuất, có quét mạng con"],
  [/^enrol an agent in its network; a router that runs OpenWrt is enough$/, "ghi danh một trạm đo trong mạng; một bộ định tuyến chạy OpenWrt là đủ"],
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
  // Bandwidth: why a figure is unknown, and what would help.
  [/^the registry does not say what is contracted$/, "danh mục chưa ghi tốc độ hợp đồng"],
  [/^enter the contracted rates of the link$/, "nhập tốc độ hợp đồng của đường truyền"],
  [/^the device does not tell the speed of the interface$/, "thiết bị không cho biết tốc độ cổng"],
  [/^nobody has read the interface that carries the link$/, "chưa ai đọc cổng của đường truyền này"],
  [/^the registry has no address of the link's router$/, "danh mục chưa có địa chỉ bộ định tuyến"],
  [/^name another interface, or enter what the carrier set$/, "chỉ ra cổng khác, hoặc nhập tốc độ nhà mạng đặt"],
  [/^let a vantage read the router by SNMP, or run an agent on it$/, "cho trạm trung tâm đọc bộ định tuyến bằng SNMP, hoặc chạy trạm đo trên đó"],
  [/^enter the router's address and let a vantage read it by SNMP$/, "nhập địa chỉ bộ định tuyến và cho trạm trung tâm đọc bằng SNMP"],
  [/^no throughput test has run over the link$/, "chưa có lần đo tốc độ nào qua đường truyền này"],
  [/^no throughput test has succeeded; the newest says: (.+)$/, "chưa lần đo tốc độ nào thành công; lần mới nhất: $1"],
  [/^the tests told the other direction alone$/, "các lần đo chỉ cho biết chiều kia"],
  [/^let the throughput test measure both directions$/, "cho phép đo tốc độ đo cả hai chiều"],
  [/^see why the tests do not succeed$/, "xem vì sao các lần đo không thành công"],
  [/^enrol an agent in the office and give it a throughput test$/, "ghi danh một trạm đo tại cơ quan và cho nó đo tốc độ"],
  [/^no two polls within the window gave a rate$/, "trong kỳ chưa có hai lần đọc nào cho ra tốc độ"],
  [/^nobody has read the counters of the interface$/, "chưa ai đọc bộ đếm của cổng"],
  // Findings.
  [/^down: (.+) were measured of the (.+) contracted$/, "chiều xuống: đo được $1 trong $2 hợp đồng"],
  [/^up: (.+) were measured of the (.+) contracted$/, "chiều lên: đo được $1 trong $2 hợp đồng"],
  [/^down: (.+) were measured though the interface negotiated (.+): another one carries the link$/, "chiều xuống: đo được $1 dù cổng chỉ thiết lập $2: đường truyền đi qua cổng khác"],
  [/^up: (.+) were measured though the interface negotiated (.+): another one carries the link$/, "chiều lên: đo được $1 dù cổng chỉ thiết lập $2: đường truyền đi qua cổng khác"],
  [/^down: the interface negotiated (.+), less than the (.+) contracted$/, "chiều xuống: cổng thiết lập $1, thấp hơn $2 hợp đồng"],
  [/^up: the interface negotiated (.+), less than the (.+) contracted$/, "chiều lên: cổng thiết lập $1, thấp hơn $2 hợp đồng"],
  [/^down: (.+) are used \(95th percentile\), more than the (.+) contracted$/, "chiều xuống: sử dụng $1 (phân vị 95), cao hơn $2 hợp đồng"],
  [/^up: (.+) are used \(95th percentile\), more than the (.+) contracted$/, "chiều lên: sử dụng $1 (phân vị 95), cao hơn $2 hợp đồng"],
  [/^down: the link is full: (.+) are used \(95th percentile\) of the (.+) contracted$/, "chiều xuống: đường truyền đầy: sử dụng $1 (phân vị 95) trong $2 hợp đồng"],
  [/^up: the link is full: (.+) are used \(95th percentile\) of the (.+) contracted$/, "chiều lên: đường truyền đầy: sử dụng $1 (phân vị 95) trong $2 hợp đồng"],
  [/^down: (.+) are used, more than the (.+) that the interface negotiated$/, "chiều xuống: sử dụng $1, cao hơn $2 mà cổng thiết lập"],
  [/^up: (.+) are used, more than the (.+) that the interface negotiated$/, "chiều lên: sử dụng $1, cao hơn $2 mà cổng thiết lập"],
  [/^what was measured down fits the rate contracted up, and the other way round$/, "tốc độ đo chiều xuống khớp hợp đồng chiều lên, và ngược lại"],
  [/^no throughput test has succeeded for (\d+) days$/, "đã $1 ngày chưa có lần đo tốc độ nào thành công"],
  [/^have the carrier deliver what is paid for, or correct the contract in the registry$/, "yêu cầu nhà mạng cấp đúng tốc độ đã trả tiền, hoặc sửa hợp đồng trong danh mục"],
  [/^confirm which interface of the router carries the link$/, "xác nhận cổng nào của bộ định tuyến là của đường truyền này"],
  [/^look at the cable and the port, confirm the interface, or correct the contract in the registry$/, "kiểm tra cáp và cổng, xác nhận cổng, hoặc sửa hợp đồng trong danh mục"],
  [/^correct the contracted rate in the registry, or confirm which interface carries the link$/, "sửa tốc độ hợp đồng trong danh mục, hoặc xác nhận cổng của đường truyền"],
  [/^order a higher rate, or find out what fills the link$/, "nâng tốc độ, hoặc tìm xem cái gì làm đầy đường truyền"],
  [/^exchange the two contracted rates in the registry, or the directions of the test$/, "đổi chỗ hai tốc độ hợp đồng trong danh mục, hoặc hai chiều của phép đo"],
  [/^see why throughput tests are skipped, or raise their budget$/, "xem vì sao các lần đo tốc độ bị bỏ qua, hoặc tăng hạn mức của chúng"],
  // Gaps between polls.
  [/^the 32-bit counter passed zero$/, "bộ đếm 32 bit đã tràn"],
  [/^the device restarted between the polls$/, "thiết bị khởi động lại giữa hai lần đọc"],
  [/^the interface's counters began anew$/, "bộ đếm của cổng đếm lại từ đầu"],
  [/^the counter went back, and nothing tells a wrap from a reset$/, "bộ đếm lùi lại, không rõ do tràn hay đếm lại"],
  [/^the 32-bit counter may have passed zero more than once; poll more often$/, "bộ đếm 32 bit có thể đã tràn nhiều lần; cần đọc thường xuyên hơn"],
  [/^the counter changed between 32 and 64 bits$/, "bộ đếm đổi giữa 32 và 64 bit"],
  [/^the difference is more than the line can carry$/, "chênh lệch lớn hơn khả năng của đường truyền"],
  [/^the two polls have the same time$/, "hai lần đọc cùng một lúc"],
  [/^the polls are more than an hour apart$/, "hai lần đọc cách nhau hơn một giờ"],
  [/^the polls are more than 16 minutes apart$/, "hai lần đọc cách nhau hơn 16 phút"],
  [/^another interface carries the link now$/, "đường truyền nay đi qua cổng khác"],
  // The WAN.
  [/^none of its links is one of the WAN$/, "không có đường truyền nào thuộc WAN"],
  [/^nothing has measured link (\S+) within the period$/, "trong kỳ chưa có gì đo đường truyền $1"],
  [/^link (\S+) does not answer, and was there for (.+) % of the period only \((\d+) % of it is known\)$/, "đường truyền $1 không trả lời, và chỉ có mặt $2 % thời gian của kỳ (biết được $3 % của kỳ)"],
  [/^link (\S+) does not answer, and only (\d+) % of the period is known$/, "đường truyền $1 không trả lời, và chỉ biết được $2 % của kỳ"],
  [/^only (\d+) % of the period is known of link (\S+)$/, "chỉ biết được $1 % của kỳ về đường truyền $2"],
  [/^let the office's agent or a vantage trace the path to an inside address$/, "cho trạm đo tại chỗ hoặc trạm trung tâm dò đường đi tới một địa chỉ bên trong"],
  [/^see why the trace of its path no longer comes$/, "xem vì sao không còn kết quả dò đường đi"],
  [/^add the network's prefixes or hops to the rules of the path probe$/, "thêm dải địa chỉ hoặc chặng của mạng vào quy tắc dò đường đi"],
  [/^correct the link's kind in the registry, or its routing$/, "sửa loại đường truyền trong danh mục, hoặc định tuyến của nó"],
  [/^route the office's traffic over the WAN, or correct the link's kind$/, "định tuyến lưu lượng của cơ quan qua WAN, hoặc sửa loại đường truyền"],
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

// "<reachable>, <over what>: <the probe's own words>": each part by itself.
const reachable: [RegExp, string][] = [
  [/^link (\S+) answers$/, "đường truyền $1 trả lời"],
  [/^an inside address answers over link (\S+)$/, "một địa chỉ bên trong trả lời qua đường truyền $1"],
  [/^link (\S+) was there for (.+) % of the period \((\d+) % of it is known\)$/, "đường truyền $1 có mặt $2 % thời gian của kỳ (biết được $3 % của kỳ)"],
];
const over: [RegExp, string][] = [
  [/^over (\S+)$/, "đi qua $1"],
  [/^over (\S+) though it is registered as (\S+)$/, "đi qua $1 dù đăng ký là $2"],
  [/^but its traffic runs over (\S+)$/, "nhưng lưu lượng đi qua $1"],
  [/^but its path was never traced$/, "nhưng chưa dò đường đi lần nào"],
  [/^but its path was not traced lately$/, "nhưng gần đây chưa dò đường đi"],
  [/^but no rule knows the hops of its path$/, "nhưng chưa quy tắc nào biết các chặng của nó"],
];
function wan(text: string): string | undefined {
  const m = /^((?:link|an inside address) [^,]+), ((?:over|but) [^:]+)(?:: (.+))?$/.exec(text);
  const first = m && one(reachable, m[1]), second = m && one(over, m[2]);
  return first && second
    ? `${first}, ${second.replace(/\b(?:province-wan|government-wan|internet)\b/g, word)}${m[3] ? `: ${m[3]}` : ""}` : undefined;
}

export function sentence(text: string): string {
  if (lang() !== "vi") return text;
  const doubt = /^(.+), though agent (\S+) gets no reply$/.exec(text);
  if (doubt) return `${sentence(doubt[1])}, dù trạm đo ${doubt[2]} không nhận được trả lời`;
  const connected = wan(text);
  if (connected !== undefined) return connected;
  const whole = one(rows, text);
  if (whole !== undefined) return whole;
  const split = text.split(/, |; /).map((p) => one(parts, p));
  return split.every((p) => p !== undefined) ? split.join("; ") : text;
}
