import FoundationEssentials

/// A self-contained page: no script, no font, no request to anywhere.
struct HTMLPage {
    var title: String
    private var body: [String] = []

    init(title: String) { self.title = title }

    mutating func section(_ heading: String, _ paragraphs: String..., figure: String) {
        body.append("<section><h2>\(SVG.escape(heading))</h2>")
        for paragraph in paragraphs where !paragraph.isEmpty { body.append("<p>\(SVG.escape(paragraph))</p>") }
        body.append("<figure>\(figure)</figure></section>")
    }

    static func table(header: [String], rows: [[String]]) -> String {
        var parts = ["<div class=\"scroll\"><table><thead><tr>"]
        parts += header.map { "<th scope=\"col\">\(SVG.escape($0))</th>" }
        parts.append("</tr></thead><tbody>")
        for row in rows {
            parts.append("<tr>")
            for (column, cell) in row.enumerated() {
                parts.append(
                    column == 0 ? "<th scope=\"row\">\(SVG.escape(cell))</th>" : "<td>\(SVG.escape(cell))</td>")
            }
            parts.append("</tr>")
        }
        parts.append("</tbody></table></div>")
        return parts.joined()
    }

    func html() -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
        <title>\(SVG.escape(title))</title>
        <style>
        body{font:15px/1.5 system-ui,sans-serif;color:#111;background:#fff;max-width:1000px;margin:2em auto;padding:0 1em}
        h1{font-size:1.5em;margin-bottom:.2em}h2{font-size:1.15em;margin:2em 0 .3em}
        p{margin:.3em 0 .8em;max-width:75ch}figure{margin:0}
        svg{width:100%;height:auto;font:11px system-ui,sans-serif}svg text{fill:#222}svg .name{font-size:12px;font-weight:600}
        .grid{stroke:#ddd}.axis{fill:none;stroke:#333}.line{fill:none;stroke-width:2}
        .diagonal{stroke:#777;stroke-dasharray:1 4;stroke-width:1.5}
        .scroll{overflow-x:auto}table{border-collapse:collapse;font-size:12px;font-variant-numeric:tabular-nums}
        th,td{padding:.25em .5em;border-bottom:1px solid #ccc;text-align:right;white-space:nowrap}
        th[scope=row],th:first-child{text-align:left}thead th{border-bottom:2px solid #333}
        @media print{body{max-width:none;margin:0;font-size:11px}section{break-inside:avoid}.scroll{overflow:visible}
        table{font-size:8.5px}th,td{padding:.2em .35em}}
        </style></head><body>
        \(BarChart.definitions)
        <h1>\(SVG.escape(title))</h1>
        \(body.joined(separator: "\n"))
        </body></html>

        """
    }

    func write(to path: String) throws(ReplayError) {
        do {
            try Data(html().utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw .unwritable(path: path, reason: "\(error)")
        }
    }
}
