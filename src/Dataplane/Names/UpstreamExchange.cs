using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Dataplane.Names;

/// <summary>Asks one upstream server one question: over UDP from a port and with an identifier by chance, and over TCP when the response was cut short.</summary>
/// <remarks>A response counts when it comes from the server's address and port (the socket is connected) and repeats identifier and question to the letter (RFC 5452 9.1).</remarks>
internal static class UpstreamExchange
{
    /// <summary>Asks.</summary>
    /// <param name="server">The server.</param>
    /// <param name="query">The query; its identifier is replaced.</param>
    /// <param name="questionBytes">Length of its question.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    /// <returns>The response with the query's own identifier; null when none came.</returns>
    public static async Task<byte[]?> AskAsync(IPEndPoint server, ReadOnlyMemory<byte> query, int questionBytes, CancellationToken cancellationToken)
    {
        byte[] asked = query.ToArray();
        try
        {
            RandomNumberGenerator.Fill(asked.AsSpan(0, 2));
            byte[]? response = await AskUdpAsync(server, asked, questionBytes, cancellationToken).ConfigureAwait(false);
            if (response is not null && (response[2] & (DnsWire.Truncated >> 8)) != 0)
            {
                response = await AskTcpAsync(server, asked, questionBytes, cancellationToken).ConfigureAwait(false) ?? response;
            }

            query.Span[..2].CopyTo(response);
            return response;
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or IOException)
        {
            return null;
        }
    }

    private static async Task<byte[]?> AskUdpAsync(IPEndPoint server, byte[] query, int questionBytes, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
        await socket.SendAsync(query, cancellationToken).ConfigureAwait(false);
        byte[] buffer = new byte[4096];
        while (true)
        {
            int length = await socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (IsResponse(query, buffer.AsSpan(0, length), questionBytes))
            {
                return buffer[..length];
            }
        }
    }

    private static async Task<byte[]?> AskTcpAsync(IPEndPoint server, byte[] query, int questionBytes, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, cancellationToken).ConfigureAwait(false);
        using var stream = new NetworkStream(socket);
        byte[] length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)query.Length);
        await stream.WriteAsync((byte[])[.. length, .. query], cancellationToken).ConfigureAwait(false);
        await stream.ReadExactlyAsync(length, cancellationToken).ConfigureAwait(false);
        byte[] response = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(response, cancellationToken).ConfigureAwait(false);
        return IsResponse(query, response, questionBytes) ? response : null;
    }

    private static bool IsResponse(ReadOnlySpan<byte> query, ReadOnlySpan<byte> response, int questionBytes)
    {
        if (response.Length < DnsWire.HeaderBytes || response[0] != query[0] || response[1] != query[1] || (response[2] & 0x80) == 0)
        {
            return false;
        }

        // Servers that could not read a query need not repeat its question.
        bool hasQuestion = BinaryPrimitives.ReadUInt16BigEndian(response[4..]) != 0;
        return hasQuestion
            ? response.Length >= DnsWire.HeaderBytes + questionBytes
                && response.Slice(DnsWire.HeaderBytes, questionBytes).SequenceEqual(query.Slice(DnsWire.HeaderBytes, questionBytes))
            : (response[3] & 15) is DnsWire.FormErr or DnsWire.ServFail or DnsWire.NotImp or DnsWire.Refused;
    }
}
