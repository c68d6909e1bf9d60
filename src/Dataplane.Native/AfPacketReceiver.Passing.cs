using Dataplane.Native.Abi;

namespace Dataplane.Native;

// A ring that another process goes on with: the socket and its blocks are the kernel's and outlive the process that made them.
public sealed unsafe partial class AfPacketReceiver
{
    private bool _isPaused;

    /// <summary>While set, no block is opened and no slot looked at: what was listed in part is listed to its end, and the kernel fills the blocks behind it. Any thread.</summary>
    internal bool IsPaused
    {
        get => Volatile.Read(ref _isPaused);
        set => Volatile.Write(ref _isPaused, value);
    }

    /// <summary>Whether every block that was opened has been given back. The thread that receives.</summary>
    internal bool IsAtRest => _heldBlocks == 0 && _heldSlots == 0 && _remaining == 0 && !_superFrame.IsPending;

    /// <summary>The block or slot that is looked at next, while at rest: where another process goes on. With slots, their size too.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such place.</exception>
    internal int Position
    {
        get => _slotBytes > 0 ? (_slotBytes / CacheLineBytes << SlotNumberBits) | _slotNumber : _nextBlock;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            if (_slotBytes > 0)
            {
                // The interface's MTU may have been another when the ring was made.
                int slotBytes = (value >> SlotNumberBits) * CacheLineBytes;
                ArgumentOutOfRangeException.ThrowIfLessThan(slotBytes, CacheLineBytes * 2, nameof(value));
                ArgumentOutOfRangeException.ThrowIfGreaterThan(slotBytes, LongestSlotBytes, nameof(value));
                UseSlots(slotBytes);
                GoToSlot(value & ((1 << SlotNumberBits) - 1));
                return;
            }

            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value, _blockCount);
            _nextBlock = _oldestBlock = value;
        }
    }

    /// <summary>Goes on with the ring of a socket that another process opened with the same options. It is paused, and at block 0 until that is set.</summary>
    /// <param name="interfaceName">Name of the interface that the socket is bound to.</param>
    /// <param name="socket">The socket, which belongs to the receiver once this has returned.</param>
    /// <param name="options">Shape of the ring; the kernel refuses to map one of another size.</param>
    /// <exception cref="LinuxException">It is no such socket, or the interface has gone.</exception>
    internal static AfPacketReceiver Adopt(string interfaceName, FileDescriptor socket, AfPacketReceiveOptions options)
    {
        options.Validate();
        NetworkInterfaceInfo info = new InterfaceControl(socket).TryRead(interfaceName) ?? throw new LinuxException(Errno.ENODEV, "ioctl(SIOCGIFINDEX)", interfaceName);
        MappedRegion region = MapRing(socket, options, interfaceName);
        var receiver = new AfPacketReceiver(socket, info, region, options) { IsPaused = true };
        receiver.RefreshState();
        return receiver;
    }
}
