// syscalls: sendto
using System.Diagnostics;
using System.Runtime.InteropServices;
using Dataplane.Native.Abi;
using static Dataplane.Native.Abi.Packet;

namespace Dataplane.Native;

// Frames that are longer than a slot, because the kernel or the card has yet to cut them.
public sealed unsafe partial class AfPacketTransmitter
{
    /// <summary>Some twenty super-frames with the kernel's bookkeeping may be on their way to whoever takes them from the device.</summary>
    private const int SuperSocketBytes = 4 << 20;

    /// <summary>Bytes that the header takes in front of a super-frame.</summary>
    internal static int OffloadHeaderBytes => sizeof(virtio_net_hdr);

    /// <summary>Sends one super-frame behind everything submitted before. One system call, and one more when frames are pending in the ring.</summary>
    /// <param name="headerAndFrame">The frame with its offload header (<see cref="OffloadHeaderBytes"/>) in front.</param>
    /// <returns>
    /// <see cref="TransmitResult.Done"/> when the kernel has taken it. <see cref="TransmitResult.Congested"/> when it, or the ring before it, did not get away now,
    /// or the kernel would not take what the header says.
    /// </returns>
    internal TransmitResult SendSuperFrame(ReadOnlySpan<byte> headerAndFrame)
    {
        Debug.Assert(_superSocket is not null, "The transmitter was opened for super-frames.");
        TransmitResult before = Kick();
        if (before != TransmitResult.Done)
            return before;
        fixed (byte* start = headerAndFrame)
        {
            nint sent;
            do
                sent = Libc.Sendto(_superSocket.Number, start, (nuint)headerAndFrame.Length, Socket.MSG_DONTWAIT, null, 0);
            while (sent < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            if (sent >= 0)
            {
                int length = headerAndFrame.Length - OffloadHeaderBytes;
                _submittedFrames++;
                _submittedBytes += length;
                _sent++;
                return TransmitResult.Done;
            }
        }

        switch (Marshal.GetLastPInvokeError())
        {
            case Errno.ENETDOWN:
                return TransmitResult.LinkDown;
            case Errno.ENXIO or Errno.ENODEV or Errno.EBADF:
                return TransmitResult.Gone;
            default:
                _congested++;
                return TransmitResult.Congested;
        }
    }

    private static FileDescriptor OpenSuperSocket(string interfaceName, AfPacketTransmitOptions options)
    {
        FileDescriptor socket = PacketSocket.Open(interfaceName, options.NetworkNamespace, out NetworkInterfaceInfo info);
        try
        {
            PacketSocket.Set(socket, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR", interfaceName);
            if (options.BypassQueueingDiscipline)
                PacketSocket.Set(socket, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS", interfaceName);
            PacketSocket.SetSendBuffer(socket, SuperSocketBytes);
            PacketSocket.Bind(socket, info, protocol: 0);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
