import Glibc

/// A file of fixed size in memory, shared with the kernel's page cache (mmap(2), MAP_SHARED): what is stored in it survives the
/// SIGKILL of this process without a single system call, and a power cut only as far as the kernel had written it back.
package final class MappedFile: @unchecked Sendable {
    // @unchecked: the address and the size never change; who may touch the bytes when is for the owner to say.
    package let bytes: UnsafeMutableRawBufferPointer

    /// Opens or makes the file. Every block is allocated at once: a store into a hole of a full disk would be SIGBUS.
    package init(path: String, size: Int) throws(Errno) {
        let file = try Files.open(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        let fd = file.rawValue
        var status = stat()
        _ = try systemCall { fstat(fd, &status) }
        if Int(status.st_size) != size {
            // Another layout, or a start that was cut off: nothing in it can be told apart from rubbish.
            _ = try systemCall { ftruncate(fd, 0) }
        }
        let refused = posix_fallocate(fd, 0, off_t(size))
        guard refused == 0 else { throw Errno(rawValue: refused) }
        guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), address != MAP_FAILED else {
            throw Errno.current
        }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    /// Lets the pages go from this process's memory; what they hold stays in the file.
    package func release() {
        madvise(bytes.baseAddress, bytes.count, MADV_DONTNEED)
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
    }
}
