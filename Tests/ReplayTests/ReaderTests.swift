import Foundation
import Testing

@testable import Replay

@Suite struct ReaderTests {
    private static let day = """
        HashOwner,HashApp,HashFunction,Trigger,480,481,482
        o1,a1,f1,timer,0,2,1
        o1,a1,f2,http,0,0,3

        """

    @Test(arguments: ["plain", "gzip", "xz"])
    func readsTheSameFromEveryCompression(_ kind: String) throws {
        let folder = try TemporaryFolder()
        let data: Data =
            switch kind {
            case "gzip": Compress.gzip(Self.day)
            case "xz": Compress.xz(Self.day)
            default: Data(Self.day.utf8)
            }
        let path = try folder.write("trace.any", data)
        let trace = try TraceLoader().load([path]).trace
        #expect(trace.minutes == 3)
        #expect(trace.originMinute == 479)
        #expect(trace.units.map(\.id) == ["f1", "f2"])
        #expect(
            trace.units[0].activity == [ActiveMinute(minute: 1, value: 2), ActiveMinute(minute: 2, value: 1)])
        #expect(trace.invocationCount == 6)
        #expect(trace.activeMinutes == 3)
    }

    @Test func concatenatedGzipMembersAreOneFile() throws {
        let folder = try TemporaryFolder()
        let lines = Self.day.split(separator: "\n").map { $0 + "\n" }
        var data = Data()
        for line in lines { data.append(Compress.gzip(String(line))) }
        let trace = try TraceLoader().load([try folder.write("t.csv", data)]).trace
        #expect(trace.invocationCount == 6)
    }

    @Test(arguments: ["gzip", "xz"])
    func aTruncatedFileIsNamed(_ kind: String) throws {
        let folder = try TemporaryFolder()
        var text = Self.day
        for row in 0..<500 { text += "o,a,g\(row),http,\(row % 7),1,0\n" }
        let data = kind == "gzip" ? Compress.gzip(text) : Compress.xz(text)
        let path = try folder.write("cut", data.prefix(data.count - 20))
        #expect {
            try TraceLoader().load([path])
        } throws: { error in
            guard case ReplayError.corrupt(let named, _) = error else { return false }
            return named == path
        }
    }

    @Test func applicationsAddUpTheirFunctions() throws {
        let folder = try TemporaryFolder()
        let trace = try TraceLoader(granularity: .app).load([try folder.write("t.csv", Self.day)]).trace
        #expect(trace.units.map(\.id) == ["a1"])
        #expect(
            trace.units[0].activity == [ActiveMinute(minute: 1, value: 2), ActiveMinute(minute: 2, value: 4)])
    }

    @Test func daysFollowTheirNumbersNotTheArguments() throws {
        let folder = try TemporaryFolder()
        let header = "HashOwner,HashApp,HashFunction,Trigger," + (1...1440).map(String.init).joined(separator: ",")
        func row(_ minute: Int) -> String {
            "o,a,f,http," + (1...1440).map { $0 == minute ? "1" : "0" }.joined(separator: ",")
        }
        let second = try folder.write("inv.anon.d02.csv", "\(header)\n\(row(5))\n")
        let first = try folder.write("inv.anon.d01.csv", "\(header)\n\(row(7))\n")
        let trace = try TraceLoader().load([second, first]).trace
        #expect(trace.minutes == 2880)
        #expect(trace.units[0].activity.map(\.minute) == [6, 1444])
    }

    @Test func durationsAndMemoryJoinTheirFunctions() throws {
        let folder = try TemporaryFolder()
        let durations = try folder.write(
            "d.csv",
            """
            HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_50,percentile_Average_100
            o1,a1,f1,10,5,1,30,1,11,31
            o9,a9,unseen,10,5,1,30,1,11,31

            """)
        let memory = try folder.write(
            "m.csv", "HashOwner,HashApp,SampleCount,AverageAllocatedMb,AverageAllocatedMb_pct1\no1,a1,9,200,150\n")
        let invocations = try folder.write("i.csv", Self.day)
        let trace = try TraceLoader().load([memory, durations, invocations]).trace
        #expect(trace.units[0].durations?.milliseconds(at: 0.25) == 6)
        #expect(trace.units[0].durations?.milliseconds(at: 0.75) == 21)
        #expect(trace.units[1].durations == nil)
        // Two functions share the 200 MB of their application.
        #expect(trace.units.map(\.memoryMB) == [100, 100])
        let apps = try TraceLoader(granularity: .app).load([memory, invocations]).trace
        #expect(apps.units.map(\.memoryMB) == [200])
    }

    @Test func concurrencyCountsStartedContainers() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "c.csv",
            "HashApp,NumEvents,NumInvocations,MaxContainerMinute,AverageMemUsageMB,1,2,3\nx,1,9,2,128.5,0.0,0.25,2.5\n")
        let trace = try TraceLoader().load([path]).trace
        #expect(trace.resolution == .concurrency)
        #expect(trace.units[0].memoryMB == 128.5)
        #expect(trace.invocationCount == 4)
    }

    @Test func azure2021StartsAreEndsLessDurations() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "2021.csv", "app,func,end_timestamp,duration\na,f,0.05,0.1\na,g,130,70\na,f,131,0.5\n")
        let trace = try TraceLoader().load([path]).trace
        // The first started 50 ms before the trace's zero: minute 0 moves one minute ahead of it.
        #expect(trace.originMinute == -1)
        #expect(trace.invocations.map(\.startMs) == [59_950, 120_000, 190_500])
        #expect(trace.invocations.map(\.durationMs) == [100, 70_000, 500])
        #expect(trace.minutes == 4)
    }

    @Test func alibabaRunsFromMidnightToMidnight() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "lora.csv",
            """
            gmt_create,predict_type,predict_status,exec_time_seconds,groupId,checkpoint_model_version_id
            2024-11-15 16:57:50,T,SUCCEED,32.0,G0,M0
            2024-11-16 00:00:01,T,SUCCEED,,G1,M0

            """)
        let trace = try TraceLoader().load([path]).trace
        #expect(trace.minutes == 2880)
        #expect(trace.originMinute == 20042 * 1440)
        #expect(trace.units[0].activity.map(\.minute) == [16 * 60 + 57, 1440])
        #expect(trace.invocations.map(\.durationMs) == [32_000, -1])
        #expect(trace.users == ["G0", "G1"])
    }

    @Test func journalAndEventsAreOneFormat() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "j.jsonl",
            """
            {"t_ms":60500,"function":"f","user":"u","start":"warm","outcome":"ok","timing_us":{"queued":1,"run":2500}}
            {"t":1.5,"function":"g","duration_ms":7,"memory_mb":64}

            """)
        let trace = try TraceLoader().load([path]).trace
        #expect(trace.invocations.map(\.startMs) == [1500, 60_500])
        #expect(trace.invocations.map(\.durationMs) == [7, 3])
        #expect(trace.units.first { $0.id == "g" }?.memoryMB == 64)
    }

    @Test func loadsAreOneUnitAColumn() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("l.csv", "day,minute,R1,R2\n3,0,4,0\n3,1,,2\n4,0,1,1\n")
        let trace = try TraceLoader().load([path]).trace
        #expect(trace.units.map(\.id) == ["R1", "R2"])
        #expect(trace.units[1].activity.map(\.minute) == [1, 1440])
    }

    @Test(arguments: [
        ("HashFunction,Trigger,1,2\nf,http,1\n", 2, "ends after 3"),
        ("HashFunction,Trigger,1,2\nf,http,1,0\ng,http,x,0\n", 3, "minute 1 is \"x\""),
        ("HashFunction,Trigger,1,2\nf,http,1,0,9\n", 2, "more fields"),
        ("HashFunction,Trigger,1,2\n,http,1,0\n", 2, "no function"),
        ("app,func,end_timestamp,duration\na,f,1,0\na,f,late,0\n", 3, "must be seconds"),
        ("gmt_create,checkpoint_model_version_id\n2024-13-01 00:00:00,M\n", 2, "gmt_create"),
        ("{\"t_ms\":1,\"function\":\"f\"}\n{\"t_ms\":1}\n", 2, "\"function\" is missing"),
        ("{\"t_ms\":1,\"function\":\"f\"}\nnonsense\n", 2, "not a JSON object"),
        ("{\"t_ms\":\"x\",\"function\":\"f\"}\n", 1, "\"t_ms\" has the wrong type"),
        ("{\"function\":\"f\"}\n", 1, "neither"),
        ("day,minute,R1\n0,1440,5\n", 2, "day and minute"),
    ])
    func errorsNameFileAndLine(_ text: String, _ line: Int, _ reason: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("bad.csv", text)
        #expect {
            try TraceLoader().load([path])
        } throws: { error in
            guard case ReplayError.malformed(let named, let number, let why) = error else { return false }
            return named == path && number == line && why.contains(reason)
                && "\(error)".hasPrefix("\(path):\(line): ")
        }
    }

    @Test func otherErrorsSayWhatToDo() throws {
        let folder = try TemporaryFolder()
        let odd = try folder.write("odd.csv", "a,b,c\n1,2,3\n")
        #expect(throws: ReplayError.unknownFormat(path: odd, firstLine: "a,b,c")) { try TraceLoader().load([odd]) }
        #expect(throws: ReplayError.unreadable(path: "/no/such", reason: "No such file or directory")) {
            try TraceLoader().load(["/no/such"])
        }
        let empty = try folder.write("empty.csv", "")
        #expect(throws: ReplayError.malformed(path: empty, line: 1, reason: "the file is empty")) {
            try TraceLoader().load([empty])
        }
        let totals = try folder.write("totals.csv", "HashApp,NumInvocations\na,5\n")
        #expect(throws: ReplayError.self) { try TraceLoader().load([totals]) }
        let quiet = try folder.write("quiet.csv", "HashFunction,Trigger,1\nf,http,0\n")
        #expect(throws: ReplayError.self) { try TraceLoader().load([quiet]) }
        #expect(throws: ReplayError.self) { try TraceLoader().load([folder.path]) }
    }

    @Test(arguments: [
        "HashFunction,Trigger,1,2\nf,http,1e30,0\n", "HashFunction,Trigger,1,2\nf,http,1e400,0\n",
        "app,func,end_timestamp,duration\na,f,1e300,1\n", "app,func,end_timestamp,duration\na,f,1,1e300\na,f,9e12,0\n",
        "day,minute,R1\n1e18,0,1\n", "day,minute,R1\n0,0,1\n99999,0,1\n", "day,minute,R1\n0,0,1e20\n",
        "{\"t_ms\":1e300,\"function\":\"f\"}\n",
        "{\"t_ms\":0,\"function\":\"f\"}\n{\"t_ms\":8e15,\"function\":\"f\"}\n",
        "gmt_create,checkpoint_model_version_id\n0001-01-01 00:00:00,M\n9999-12-31 23:59:59,M\n",
        "HashFunction,Trigger,99999999999999999999,2\nf,http,1,0\n",
    ])
    func absurdNumbersAreErrorsNotTraps(_ text: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("absurd", text)
        #expect(throws: ReplayError.self) { try TraceLoader().load([path]) }
    }

    @Test func endlessServiceTimesAreCut() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("long.jsonl", "{\"t_ms\":0,\"function\":\"f\",\"duration_ms\":1e300}\n")
        let trace = try TraceLoader().load([path]).trace
        #expect(trace.invocations[0].durationMs == Int32.max)
    }

    @Test func damagedBytesNeverTrap() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let originals = [Data(Self.day.utf8), Compress.gzip(Self.day), Compress.xz(Self.day)]
        for round in 0..<300 {
            var data = originals[round % originals.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                data[Int.random(in: 0..<data.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let path = try folder.write("fuzz", data)
            do {
                _ = try TraceLoader().load([path])
            } catch {
                #expect("\(error)".contains("fuzz"), "seed \(seed)")
            }
        }
    }

    @Test func quotedFieldsAndCarriageReturns() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("q.csv", "HashFunction,Trigger,1,2\r\n\"f,\"\"1\"\"\",http,0,2\r\n")
        let trace = try TraceLoader().load([path]).trace
        #expect(trace.units[0].id == "f,\"1\"")
        #expect(trace.invocationCount == 2)
    }
}

@Suite struct TimestampTests {
    @Test func knowsTheCalendar() {
        #expect(Timestamp.daysSince1970(year: 1970, month: 1, day: 1) == 0)
        #expect(Timestamp.daysSince1970(year: 2024, month: 2, day: 29) == 19782)
        #expect(Timestamp.daysSince1970(year: 1969, month: 12, day: 31) == -1)
    }

    @Test(arguments: ["0.1", "123.456", "1e3", "0.30000000000000004", "-2.5", "12345678901234567890"])
    func numbersAreExactlyRounded(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(Fields.number(bytes.span, 0..<bytes.count) == Double(text))
    }

    @Test(arguments: ["", "-", ".", "1.2.3", "nan", "inf", "1,2", "0x", "--1"])
    func otherTextIsNoNumber(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(Fields.number(bytes.span, 0..<bytes.count) == nil)
    }
}
