using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>Sends datagrams to an echo and waits for each to come back.</summary>
internal sealed class UdpLoad
{
    /// <summary>A flow keeps its backend; new flows from time to time show how new ones are balanced.</summary>
    private const int MessagesPerFlow = 16;

    private static readonly TimeSpan s_timeout = TimeSpan.FromMilliseconds(250);

    public TrafficCounter Counter { get; } = new();

    /// <summary>One client: one flow after the other.</summary>
    public async Task RunAsync(IPEndPoint server, TimeSpan interval, CancellationToken ended)
    {
        var pace = new Pace(interval);
        byte[] sent = new byte[64], received = new byte[2048];
        for (long number = 1; !ended.IsCancellationRequested;)
        {
            using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            await socket.ConnectAsync(server, CancellationToken.None).ConfigureAwait(false);
            for (int message = 0; message < MessagesPerFlow; message++, number++)
            {
                await Task.Delay(pace.Next(), CancellationToken.None).ConfigureAwait(false);
                BinaryPrimitives.WriteInt64BigEndian(sent, number);
                long start = Stopwatch.GetTimestamp();
                if (await EchoAsync(socket, sent, received).ConfigureAwait(false))
                {
                    Counter.CountOk(start);
                }
                else
                {
                    Counter.CountFailed();
                    break;
                }
            }
        }
    }

    private static async Task<bool> EchoAsync(Socket socket, byte[] sent, byte[] received)
    {
        using var deadline = new CancellationTokenSource(s_timeout);
        try
        {
            await socket.SendAsync(sent, deadline.Token).ConfigureAwait(false);
            int length = await socket.ReceiveAsync(received, deadline.Token).ConfigureAwait(false);
            return received.AsSpan(0, length).SequenceEqual(sent);
        }
        catch (Exception failed) when (failed is SocketException or OperationCanceledException)
        {
            return false;
        }
    }
}
