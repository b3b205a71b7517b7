import Wire

/// Modules that a runtime imports before its function is known, beside those that its `runtime.yaml` names: what most of the
/// functions that are started like it import, by the analysis of their code.
///
/// A sandbox of the tier belongs to no function, and any that is started like it may be the next in it. So nothing is taken from
/// code or from what its analysis says but a choice among names that `runtime.yaml` allows (`may_preload`): modules of
/// the standard library that do nothing but define, whoever imports them. A module that fewer than half would use is left
/// out: it would be held in every sandbox for the sake of a few.
struct PreloadLists {
    private struct Class {
        var functions = 0
        var importers: [String: Int] = [:]
    }
    private var classes: [RuntimeLaunch: Class] = [:]
    private var known: [String: (launch: RuntimeLaunch, modules: Set<String>)] = [:]

    /// What a function's code was found to import; `allowed` is the runtime's `may_preload`.
    mutating func learn(_ name: String, _ launch: RuntimeLaunch, _ analysis: HearthCodeAnalysis, allowed: Set<String>) {
        forget(name)
        guard analysis.state == .done else { return }
        let modules = Set(analysis.packages.lazy.filter { $0.origin == "image" }.map(\.name)).intersection(allowed)
        known[name] = (launch, modules)
        classes[launch, default: Class()].functions += 1
        for module in modules { classes[launch]?.importers[module, default: 0] += 1 }
    }

    mutating func forget(_ name: String) {
        guard let (launch, modules) = known.removeValue(forKey: name) else { return }
        classes[launch]?.functions -= 1
        for module in modules {
            let left = (classes[launch]?.importers[module] ?? 1) - 1
            classes[launch]?.importers[module] = left > 0 ? left : nil
        }
        if classes[launch]?.functions == 0 { classes[launch] = nil }
    }

    /// In the order of their names.
    func modules(_ launch: RuntimeLaunch) -> [String] {
        guard let found = classes[launch] else { return [] }
        return found.importers.filter { 2 * $0.value >= found.functions }.keys.sorted()
    }
}
