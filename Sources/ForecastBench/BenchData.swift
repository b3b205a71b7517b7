package import Replay

/// The public traces of the data directory, as the tables need them.
package struct BenchData {
    package let directory: String

    package init(directory: String) { self.directory = directory }

    private func path(_ name: String) -> String { directory + "/" + name }

    package func apps100() throws(ReplayError) -> Trace {
        try TraceLoader().load([path("azure2019-24h-100apps/apps100_concurrency.csv")]).trace
    }

    /// `count` units of the pool of day vectors, drawn by the applications' daily totals.
    package func pool(_ count: Int, seed: UInt64) throws(ReplayError) -> Trace {
        let loaded = try TraceLoader().load([
            path("azure2019-24h-pool/pool_8624x1440.csv.xz"),
            path("azure2019-24h-100apps/apps17577_daily_invocations.csv.gz"),
        ])
        return try Resampler.resample(loaded.trace, count: count, dailyTotals: loaded.dailyTotals, seed: seed)
    }

    package func alibaba() throws(ReplayError) -> Trace {
        try TraceLoader().load([path("alibaba-gentd26/lora_request_trace.csv")]).trace
    }

    package func huawei() throws(ReplayError) -> Trace {
        try TraceLoader().load([path("huawei2025-coldstarts-31d/coldstarts_per_minute.csv.gz")]).trace
    }
}
