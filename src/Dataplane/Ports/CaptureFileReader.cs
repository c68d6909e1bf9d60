using System.Buffers.Binary;

namespace Dataplane.Ports;

/// <summary>Reads frames from a capture file: classic pcap or pcapng, in either byte order.</summary>
/// <remarks>
/// <para>Classic pcap 2.4 with microseconds or nanoseconds. pcapng 1.x with any number of sections and interfaces, enhanced, simple and (obsolete)
/// packet blocks, <c>if_tsresol</c>, <c>if_tsoffset</c>, <c>if_fcslen</c>; other blocks are passed over. A simple packet block has no time and takes that of the frame before it.</para>
/// <para>Link types: Ethernet (1). Raw IP (101), IPv4 (228) and IPv6 (229) get an Ethernet header with zero addresses put before each packet. Any other is refused.</para>
/// <para>The file is streamed through one buffer of some 500 KB at most, whatever it says about its own sizes; reading a frame allocates nothing. Used by one thread.</para>
/// </remarks>
public sealed partial class CaptureFileReader : IDisposable
{
    /// <summary>The longest frame that is read, in bytes as captured: what libpcap writes at most.</summary>
    public const int MaxFrameBytes = 262_144;

    private const int EthernetHeaderBytes = 14;
    private const int LinkTypeEthernet = 1, LinkTypeRaw = 101, LinkTypeIpv4 = 228, LinkTypeIpv6 = 229;
    private const int FileHeaderBytes = 24, RecordHeaderBytes = 16;
    private const uint MagicMicroseconds = 0xA1B2_C3D4, MagicNanoseconds = 0xA1B2_3C4D, MagicPatched = 0xA1B2_CD34;

    private readonly CaptureInput _input;
    private readonly bool _isPcapng;
    private CaptureInterface[] _interfaces = new CaptureInterface[4];
    private int _interfaceCount;
    private int _pendingBytes;
    private int _frameAt;
    private int _frameBytes;
    private int _originalBytes;
    private int _interface;
    private long _timestampNs;

    /// <summary>Reads from a stream; takes its header at once.</summary>
    /// <param name="stream">Positioned at the beginning of the capture.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="leaveOpen">Whether disposing the reader leaves the stream open.</param>
    /// <exception cref="CaptureFormatException">It is no capture file, or one of a kind that is not read.</exception>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public CaptureFileReader(Stream stream, string name = "capture", bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _input = new CaptureInput(stream, name, leaveOpen);
        try
        {
            _input.Need(4, "a magic number");
            _isPcapng = _input.U32(0) == BlockSection;
            if (!_isPcapng)
                ReadFileHeader();
        }
        catch
        {
            _input.Dispose();
            throw;
        }
    }

    /// <summary>The frame that <see cref="Read"/> has gone to; valid until it is called again.</summary>
    public CapturedFrame Current => new(_timestampNs, _input.Span(_frameAt, _frameBytes), _originalBytes, _interface);

    /// <summary>Opens a file.</summary>
    /// <exception cref="CaptureFormatException">It is no capture file, or one of a kind that is not read.</exception>
    /// <exception cref="IOException">The file cannot be opened or read.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not read it.</exception>
    public static CaptureFileReader Open(string path)
    {
        // The reader has its own buffer; a second one would copy every byte twice.
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, FileOptions.SequentialScan);
        return new CaptureFileReader(stream, path);
    }

    /// <summary>Goes to the next frame.</summary>
    /// <returns>False at the end of the file.</returns>
    /// <exception cref="CaptureFormatException">The file is cut off or damaged here; the frames before were right.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public bool Read()
    {
        _input.Consume(_pendingBytes);
        _pendingBytes = 0;
        _frameAt = _frameBytes = 0;
        return _isPcapng ? ReadBlocks() : ReadRecord();
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _input.Dispose();

    private void ReadFileHeader()
    {
        uint little = _input.U32(0), big = BinaryPrimitives.ReverseEndianness(little);
        _input.IsBigEndian = big is MagicMicroseconds or MagicNanoseconds;
        uint magic = _input.U32(0);
        if (magic is not (MagicMicroseconds or MagicNanoseconds))
        {
            string hint = little is MagicPatched or 0x34CD_B2A1 ? " (the format of a patched libpcap; convert it with: editcap -F pcap)"
                : (little & 0xFFFF) == 0x8B1F ? " (gzip; decompress it first)" : "";
            throw _input.Malformed(0, $"the bytes {Convert.ToHexString(_input.Span(0, 4))}{hint}", "the magic number of pcap (A1B2C3D4, A1B23C4D) or pcapng (0A0D0D0A)");
        }

        _input.Need(FileHeaderBytes, "a pcap file header");
        if (_input.U16(4) != 2 || _input.U16(6) != 4)
            throw _input.Malformed(4, $"version {_input.U16(4)}.{_input.U16(6)}", "version 2.4");
        // The upper half of the link type is the FCS length in 16-bit words and a bit that says it is there (draft-ietf-opsawg-pcap, section 4).
        uint network = _input.U32(20);
        _interfaces[0] = CaptureInterface.Of((int)(network & 0xFFFF));
        _interfaces[0].Exponent = magic == MagicNanoseconds ? 9 : 6;
        _interfaces[0].FcsBytes = (network & 0x0400_0000) != 0 ? (int)(network >> 28) * 2 : 0;
        _interfaceCount = 1;
        CheckLinkType(20, 0);
        _input.Consume(FileHeaderBytes);
    }

    private bool ReadRecord()
    {
        if (_input.IsAtEnd)
            return false;
        _input.Need(RecordHeaderBytes, "a record header");
        uint captured = _input.U32(8);
        CheckCapturedLength(8, captured);
        ulong units = _interfaces[0].Exponent == 9 ? 1_000_000_000u : 1_000_000u;
        ulong time = (_input.U32(0) * units) + _input.U32(4);
        _input.Need(RecordHeaderBytes + (int)captured, "a record");
        SetFrame(0, time, RecordHeaderBytes, (int)captured, _input.U32(12));
        _pendingBytes = RecordHeaderBytes + (int)captured;
        return true;
    }

    /// <summary>Takes a frame in the window for the current one.</summary>
    private void SetFrame(int interfaceNumber, ulong time, int at, int capturedBytes, uint originalBytes)
    {
        ref readonly CaptureInterface from = ref _interfaces[interfaceNumber];
        // A frame as long as the wire had it ends with the FCS; one that was cut short has lost some of it or all.
        long withoutFcs = Math.Max(0, originalBytes - (long)from.FcsBytes);
        int length = (int)Math.Min(capturedBytes, from.FcsBytes == 0 ? capturedBytes : withoutFcs);
        long original = Math.Clamp(withoutFcs, length, int.MaxValue - EthernetHeaderBytes);
        if (from.LinkType != LinkTypeEthernet)
        {
            PutEthernetHeader(at, length);
            at -= EthernetHeaderBytes;
            length += EthernetHeaderBytes;
            original += EthernetHeaderBytes;
        }

        _interface = interfaceNumber;
        _timestampNs = from.ToNs(time);
        _frameAt = at;
        _frameBytes = length;
        _originalBytes = (int)original;
    }

    /// <summary>Overwrites the 14 bytes before a packet, which are the record's own header or the slack of the window and have been read.</summary>
    private void PutEthernetHeader(int at, int length)
    {
        int version = length > 0 ? _input.Span(at, 1)[0] >> 4 : 0;
        Span<byte> header = _input.Span(at - EthernetHeaderBytes, EthernetHeaderBytes);
        header.Clear();
        // What is neither has EtherType 0, which the engine drops as unknown.
        BinaryPrimitives.WriteUInt16BigEndian(header[12..], version switch { 4 => 0x0800, 6 => 0x86DD, _ => 0 });
    }

    private void CheckCapturedLength(int at, uint captured)
    {
        if (captured > MaxFrameBytes)
            throw _input.Malformed(at, $"a captured length of {captured}", $"0 to {MaxFrameBytes}");
    }

    private void CheckLinkType(int at, int interfaceNumber)
    {
        int type = _interfaces[interfaceNumber].LinkType;
        if (type is not (LinkTypeEthernet or LinkTypeRaw or LinkTypeIpv4 or LinkTypeIpv6))
            throw _input.Malformed(at, $"link type {type}", "1 (Ethernet), 101 (raw IP), 228 (IPv4) or 229 (IPv6)");
    }
}
