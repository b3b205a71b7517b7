package import Linux

/// Why a tree could not be stored, found or packed. The description says what, which one, and what to do.
package enum ImageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One entry of an archive or a directory cannot be taken. The name is escaped for printing.
    case entry(String, EntryFault)
    /// The archive cannot be read as the format it is said to be.
    case archive(ArchiveFormat, String)
    /// More bytes than the limit when unpacked; counted while unpacking, so that a bomb stops early.
    case tooManyBytes(limit: Int64)
    case tooManyEntries(limit: Int)
    /// An upload longer than allowed.
    case uploadTooLarge(limit: Int64)
    /// ENOSPC or EDQUOT on the store's file system, and at which file.
    case storageFull(String)
    /// The system refused an operation on a file.
    case system(Errno, String)
    /// A name that an image cannot have.
    case invalidName(String)
    case notFound(String)
    /// The root file system cannot be used by a sandbox.
    case unusableImage(String, why: String)

    package var description: String {
        switch self {
        case .entry(let name, let fault): "entry '\(name)': \(fault)"
        case .archive(let format, let why):
            "the archive cannot be read as \(format): \(why); pack it again, and check that it was sent whole"
        case .tooManyBytes(let limit):
            "unpacked, the files are larger than the limit of \(limit) bytes; leave out what is not needed"
        case .tooManyEntries(let limit):
            "more than \(limit) files and directories; leave out what is not needed"
        case .uploadTooLarge(let limit):
            "the upload is larger than the limit of \(limit) bytes; leave out what is not needed"
        case .storageFull(let what):
            "no space left in the store, or over quota, at '\(what)'; free some, or delete unused functions and images"
        case .system(let error, let what): "\(what): \(error)"
        case .invalidName(let name):
            "'\(name)' is no image name: 1 to 63 of a-z, 0-9, '.', '_', '-', the first a letter or a digit; "
                + "'host' and names that begin with 'host-' are Hearth's own"
        case .notFound(let name): "there is no image or code '\(name)'; list what there is, or import it"
        case .unusableImage(let image, let why): "image '\(image)': \(why)"
        }
    }
}

/// What is wrong with one entry.
package enum EntryFault: Error, Sendable, Hashable, CustomStringConvertible {
    case parentReference
    case absolute
    case notUnicode
    case controlCharacter
    case backslash
    case emptyName
    case nameTooLong(limit: Int)
    case pathTooLong(limit: Int)
    case tooDeep(limit: Int)
    case duplicate
    /// A part of the path is a file or a link, not a directory.
    case notInDirectory(String)
    /// A symbolic link whose target, followed in the tree, is outside it.
    case linkLeaves(target: String)
    case emptyLink
    case hardLink(target: String)
    /// A device, a pipe or a socket.
    case special(String)
    case encrypted
    case damaged(String)
    case mountedStore

    package var description: String {
        switch self {
        case .parentReference: "the path has a '..'; pack from inside the directory, with relative names"
        case .absolute: "the path is absolute; pack from inside the directory, with relative names"
        case .notUnicode: "the name is not UTF-8; rename it, or pack with a tool that writes UTF-8 names"
        case .controlCharacter: "the name has a control character; rename it"
        case .backslash: "the name has a backslash; pack with '/' between directories"
        case .emptyName: "it has no name; pack the archive again"
        case .nameTooLong(let limit): "the name is longer than \(limit) bytes; shorten it"
        case .pathTooLong(let limit): "the path is longer than \(limit) bytes; shorten it"
        case .tooDeep(let limit): "deeper than \(limit) directories; flatten the tree"
        case .duplicate: "the name comes twice; pack each file once"
        case .notInDirectory(let part): "'\(part)' on its path is not a directory; pack real directories only"
        case .linkLeaves(let target):
            "the symbolic link to '\(target)' leaves the tree; replace it by the file, or by a relative link inside"
        case .emptyLink: "the symbolic link has no target; remove it"
        case .hardLink(let target):
            "a hard link to '\(target)', which is no file of this tree; pack the file itself"
        case .special(let kind): "it is a \(kind); leave it out: only files, directories and links can be stored"
        case .encrypted: "it is encrypted; pack without a password"
        case .damaged(let why): "its data is damaged (\(why)); pack it again, and check that it was sent whole"
        case .mountedStore: "it is the image store itself; import a directory that does not contain the store"
        }
    }
}
