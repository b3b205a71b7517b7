import Linux

/// The directories of a root file system that a sandbox's mounts cover.
enum MountPoints {
    /// The nursery resolves each without following a link, so each part must be a real directory.
    static let paths = ["dev", "proc", "sys", "tmp", "usr", "run", "opt/hearth/runtimes", "var/task"]
}

extension TreeBuilder {
    /// Makes the mount points that are missing; refuses a tree that has something else in their place.
    mutating func addMountPoints(image: String) throws(ImageError) {
        for mountPoint in MountPoints.paths {
            var path = TreePath.root
            for component in mountPoint.split(separator: "/") {
                path = path.appending(String(component))
                switch manifest[path] {
                case .directory: continue
                case nil: try addDirectory(path, mode: 0o755)
                case .link(let target)?:
                    throw .unusableImage(
                        image,
                        why: "/\(path.text) is a symbolic link to '\(printable(target.utf8))', where a sandbox needs a "
                            + "directory to mount on; replace it by a directory")
                case .file?:
                    throw .unusableImage(
                        image,
                        why: "/\(path.text) is a file, where a sandbox needs a directory to mount on; "
                            + "replace it by a directory")
                }
            }
        }
    }
}
