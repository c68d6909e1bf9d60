using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Dataplane.Packets;

namespace Dataplane.Gateway.Networks.Measuring;

/// <summary>Asks by ICMP echo requests (RFC 792, RFC 4443), which whatever has an address answers: for endpoints in which no socket of the kernel can be opened.</summary>
/// <param name="socket">A raw socket for ICMP of the address's family.</param>
/// <param name="address">Whom to ask.</param>
internal sealed class EchoAsker(Socket socket, IPAddress address) : IAsker
{
    private const byte Request = 8, Reply = 0, Request6 = 128, Reply6 = 129;
    private const int HeaderBytes = 8;

    private readonly bool _isV6 = address.AddressFamily == AddressFamily.InterNetworkV6;
    private readonly ushort _identifier = (ushort)Random.Shared.Next(1, ushort.MaxValue);
    private readonly byte[] _answer = new byte[2048];

    public async Task AskAsync(int number)
    {
        if (!socket.Connected)
        {
            await socket.ConnectAsync(address, 0).ConfigureAwait(false);
        }

        byte[] request = new byte[HeaderBytes + sizeof(int)];
        request[0] = _isV6 ? Request6 : Request;
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(4), _identifier);
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(6), (ushort)number);
        if (!_isV6)
        {
            // That of ICMPv6 is the kernel's to fill in (RFC 3542, section 3.1).
            BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(2), InternetChecksum.Compute(request));
        }

        await socket.SendAsync(request).ConfigureAwait(false);
    }

    public async Task HearAsync(int number, CancellationToken end)
    {
        int length;
        do
        {
            length = await socket.ReceiveAsync(_answer, end).ConfigureAwait(false);
        }
        while (!IsReply(_answer.AsSpan(0, length), (ushort)number));
    }

    public void Dispose() => socket.Dispose();

    /// <summary>Raw sockets hear all of ICMP, over IPv4 with the IP header.</summary>
    private bool IsReply(ReadOnlySpan<byte> message, ushort number)
    {
        int header = _isV6 || message.IsEmpty ? 0 : (message[0] & 0xF) * sizeof(int);
        return message.Length >= header + HeaderBytes && message[header] == (_isV6 ? Reply6 : Reply)
            && BinaryPrimitives.ReadUInt16BigEndian(message[(header + 4)..]) == _identifier && BinaryPrimitives.ReadUInt16BigEndian(message[(header + 6)..]) == number;
    }
}
