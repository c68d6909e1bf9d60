namespace Dataplane.Ports;

/// <summary>The blocks of pcapng (draft-ietf-opsawg-pcapng).</summary>
public sealed partial class CaptureFileReader
{
    private const uint BlockSection = 0x0A0D_0D0A, BlockInterface = 1, BlockPacket = 2, BlockSimplePacket = 3, BlockEnhancedPacket = 6;
    private const uint ByteOrderMagic = 0x1A2B_3C4D, ByteOrderMagicSwapped = 0x4D3C_2B1A;
    private const int BlockHeaderBytes = 8, BlockTrailerBytes = 4;
    private const int OptionEnd = 0, OptionTimeResolution = 9, OptionFcsLength = 13, OptionTimeOffset = 14;

    /// <summary>More than any machine captures from; an upper bound for what a hostile file makes us remember.</summary>
    private const int MaxInterfaces = 65_536;

    private bool _inSection;
    private uint _blockBytes;
    private long _blockLeft;

    private bool ReadBlocks()
    {
        while (true)
        {
            EndBlock();
            if (_input.IsAtEnd)
                return false;
            _input.Need(BlockHeaderBytes + BlockTrailerBytes, "a block");
            uint type = _input.U32(0);
            if (type == BlockSection)
                BeginSection();
            else if (!_inSection)
                throw _input.Malformed(0, $"a block of type {type}", "a section header block");
            BeginBlock();
            switch (type)
            {
                case BlockInterface:
                    ReadInterface();
                    break;
                case BlockEnhancedPacket or BlockPacket:
                    ReadPacket(isObsolete: type == BlockPacket);
                    return true;
                case BlockSimplePacket:
                    ReadSimplePacket();
                    return true;
            }
        }
    }

    /// <summary>Goes to the end of the block that was begun, and checks that its length stands there again.</summary>
    private void EndBlock()
    {
        if (_blockBytes == 0)
            return;
        _input.Skip(_blockLeft - BlockTrailerBytes, "a block");
        _input.Need(BlockTrailerBytes, "a block length");
        if (_input.U32(0) != _blockBytes)
            throw _input.Malformed(0, $"block length {_input.U32(0)} behind a block", $"{_blockBytes} as before it");
        _input.Consume(BlockTrailerBytes);
        _blockBytes = 0;
    }

    private void BeginBlock()
    {
        uint length = _input.U32(4);
        if (length < BlockHeaderBytes + BlockTrailerBytes || length % 4 != 0)
            throw _input.Malformed(4, $"block length {length}", "12 or more and a multiple of 4");
        _blockBytes = length;
        _blockLeft = length;
    }

    private void BeginSection()
    {
        const int LeastBytes = 28;
        // The byte order of a section's own length is known only from the magic number behind it.
        _input.IsBigEndian = false;
        uint magic = _input.U32(8);
        _input.IsBigEndian = magic == ByteOrderMagicSwapped;
        if (magic is not (ByteOrderMagic or ByteOrderMagicSwapped))
            throw _input.Malformed(8, $"byte-order magic {magic:X8}", "1A2B3C4D in either order");
        if (_input.U32(4) < LeastBytes)
            throw _input.Malformed(4, $"block length {_input.U32(4)}", $"{LeastBytes} or more for a section header");
        _input.Need(LeastBytes - BlockTrailerBytes, "a section header block");
        if (_input.U16(12) != 1)
            throw _input.Malformed(12, $"pcapng version {_input.U16(12)}.{_input.U16(14)}", "version 1");
        _inSection = true;
        _interfaceCount = 0;
    }

    private void ReadInterface()
    {
        const int FixedBytes = 16;
        NeedInBlock(FixedBytes, "an interface description block");
        if (_interfaceCount == MaxInterfaces)
            throw _input.Malformed(0, $"interface number {MaxInterfaces} of a section", $"{MaxInterfaces} interfaces at most");
        if (_interfaceCount == _interfaces.Length)
            Array.Resize(ref _interfaces, _interfaces.Length * 2);
        ref CaptureInterface added = ref _interfaces[_interfaceCount++];
        added = CaptureInterface.Of(_input.U16(8));
        added.SnapLength = _input.U32(12);
        ConsumeInBlock(FixedBytes);
        while (_blockLeft >= 4 + BlockTrailerBytes)
        {
            _input.Need(4, "an option");
            int code = _input.U16(0), length = _input.U16(2), padded = (length + 3) & ~3;
            if (4 + padded + BlockTrailerBytes > _blockLeft)
                throw _input.Malformed(2, $"option length {length}", $"at most the {_blockLeft - 4 - BlockTrailerBytes} bytes that the block has left");
            if (code == OptionEnd)
                return;
            ReadOption(ref added, code, length);
            _input.Skip(4 + padded, "an option");
            _blockLeft -= 4 + padded;
        }
    }

    private void ReadOption(ref CaptureInterface of, int code, int length)
    {
        int needed = code switch { OptionTimeResolution or OptionFcsLength => 1, OptionTimeOffset => 8, _ => -1 };
        if (needed < 0)
            return;
        if (length != needed)
            throw _input.Malformed(2, $"length {length} of option {code}", $"{needed}");
        _input.Need(4 + length, "an option");
        int value = _input.Span(4, 1)[0];
        switch (code)
        {
            case OptionTimeResolution:
                of.IsBinary = (value & 0x80) != 0;
                of.Exponent = value & 0x7F;
                break;
            case OptionFcsLength:
                of.FcsBytes = value / 8;
                break;
            default:
                of.OffsetSeconds = (long)_input.U64(4);
                break;
        }
    }

    private void ReadPacket(bool isObsolete)
    {
        const int FixedBytes = 28;
        NeedInBlock(FixedBytes, "a packet block");
        // The obsolete block has a 16-bit interface and a 16-bit drop count in the place of a 32-bit interface.
        uint number = isObsolete ? _input.U16(8) : _input.U32(8);
        ulong time = ((ulong)_input.U32(12) << 32) | _input.U32(16);
        uint captured = _input.U32(20);
        CheckPacket(number, 20, captured, FixedBytes);
        _pendingBytes = FixedBytes + (int)captured;
        _blockLeft -= _pendingBytes;
        SetFrame((int)number, time, FixedBytes, (int)captured, _input.U32(24));
    }

    private void ReadSimplePacket()
    {
        const int FixedBytes = 12;
        NeedInBlock(FixedBytes, "a simple packet block");
        uint original = _input.U32(8), captured = Math.Min(original, (uint)Math.Min(_blockLeft - FixedBytes - BlockTrailerBytes, uint.MaxValue));
        if (_interfaceCount > 0 && _interfaces[0].SnapLength != 0)
            captured = Math.Min(captured, _interfaces[0].SnapLength);
        CheckPacket(0, 4, captured, FixedBytes);
        _pendingBytes = FixedBytes + (int)captured;
        _blockLeft -= _pendingBytes;
        long before = _timestampNs;
        SetFrame(0, 0, FixedBytes, (int)captured, original);
        _timestampNs = before;
    }

    /// <summary>Checks what a packet block says of its interface and length, and brings the whole frame into the window.</summary>
    private void CheckPacket(uint number, int lengthAt, uint captured, int fixedBytes)
    {
        if (number >= (uint)_interfaceCount)
            throw _input.Malformed(8, $"a packet of interface {number}", $"one of the {_interfaceCount} that the section has described so far");
        CheckCapturedLength(lengthAt, captured);
        if (fixedBytes + captured + BlockTrailerBytes > _blockLeft)
            throw _input.Malformed(lengthAt, $"a captured length of {captured}", $"at most the {_blockLeft - fixedBytes - BlockTrailerBytes} bytes that the block has for it");
        CheckLinkType(8, (int)number);
        _input.Need(fixedBytes + (int)captured, "a packet");
    }

    private void NeedInBlock(int count, string what)
    {
        if (count + BlockTrailerBytes > _blockLeft)
            throw _input.Malformed(4, $"block length {_blockBytes}", $"{count + BlockTrailerBytes} or more for {what}");
        _input.Need(count, what);
    }

    private void ConsumeInBlock(int count)
    {
        _input.Consume(count);
        _blockLeft -= count;
    }
}
