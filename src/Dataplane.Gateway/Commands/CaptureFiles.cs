using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Dataplane.Gateway.Commands;

/// <summary>Writes the blocks of a pcapng stream to one file after another, each of which can be read by itself: it begins with the section and the interfaces there are.</summary>
/// <remarks>As tcpdump does it: before a packet is written it is seen whether the file is longer than it may be, and whether its time is over. Files are their owner's alone.</remarks>
internal sealed class CaptureFiles(CaptureRotation rotation, TimeProvider time) : IAsyncDisposable
{
    private const uint SectionBlock = 0x0A0D_0D0A, InterfaceBlock = 1;
    private const int LeastBlock = 12, MostBlock = 1 << 24;

    private readonly ArrayBufferWriter<byte> _head = new();
    private FileStream? _file;
    private DateTimeOffset _since;
    private int _number;
    private int _periods;

    /// <summary>Copies the stream until it ends, in whole blocks: what a gateway that dies has half said is left out.</summary>
    /// <exception cref="IOException">A file cannot be written, or the stream is no pcapng.</exception>
    public async Task CopyAsync(Stream packets)
    {
        _since = time.GetLocalNow();
        Open();
        var reader = PipeReader.Create(packets, new StreamPipeReaderOptions(bufferSize: 1 << 16, leaveOpen: true));
        while (true)
        {
            ReadResult read = await reader.ReadAsync().ConfigureAwait(false);
            ReadOnlySequence<byte> left = read.Buffer;
            while (TryTake(ref left, out uint type, out ReadOnlySequence<byte> block))
            {
                Write(type, in block);
            }

            reader.AdvanceTo(left.Start, left.End);
            await _file!.FlushAsync().ConfigureAwait(false);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_file is not null)
        {
            await _file.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static bool TryTake(ref ReadOnlySequence<byte> left, out uint type, out ReadOnlySequence<byte> block)
    {
        (type, block) = (0, default);
        if (left.Length < LeastBlock)
        {
            return false;
        }

        Span<byte> head = stackalloc byte[8];
        left.Slice(0, 8).CopyTo(head);
        type = BinaryPrimitives.ReadUInt32LittleEndian(head);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
        if (length is < LeastBlock or > MostBlock || length % 4 != 0)
        {
            throw new IOException($"what the gateway sends is not pcapng: a block of {length} bytes.");
        }

        if (left.Length < length)
        {
            return false;
        }

        block = left.Slice(0, length);
        left = left.Slice(length);
        return true;
    }

    private void Write(uint type, in ReadOnlySequence<byte> block)
    {
        if (type is SectionBlock or InterfaceBlock)
        {
            foreach (ReadOnlyMemory<byte> part in block)
            {
                _head.Write(part.Span);
            }
        }
        else
        {
            Rotate();
        }

        foreach (ReadOnlyMemory<byte> part in block)
        {
            _file!.Write(part.Span);
        }
    }

    private void Rotate()
    {
        if (rotation.Seconds is { } seconds && time.GetLocalNow() is var now && now - _since >= TimeSpan.FromSeconds(seconds))
        {
            // Behind the last period there is none: the capture is about to end.
            if (rotation.FileBytes is not null || rotation.Files is not { } files || _periods + 1 < files)
            {
                (_since, _number, _periods) = (now, 0, _periods + 1);
                Next();
            }
        }

        if (rotation.FileBytes is { } most && _file!.Position > most)
        {
            _number = rotation.Files is { } files ? (_number + 1) % files : _number + 1;
            Next();
        }
    }

    private void Next()
    {
        _file!.Dispose();
        Open();
        _file.Write(_head.WrittenSpan);
    }

    [System.Diagnostics.CodeAnalysis.MemberNotNull(nameof(_file))]
    private void Open()
    {
        string path = rotation.NameOf(_number, _since);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 1 << 16 };
        if (!OperatingSystem.IsWindows())
        {
            // What packets carry is nobody else's, whatever the umask says.
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        _file = new FileStream(path, options);
    }
}
