using System.Net;
using System.Net.Sockets;
using Dataplane.Networks;

namespace Dataplane.SystemTests.Networks;

/// <summary>Sockets of the test's own inside namespaces.</summary>
internal static class ContainerSockets
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>A server that answers every connection with the address that it came from.</summary>
    public static Socket Serve(string networkNamespace, int port, bool ipv6 = false)
    {
        Socket listener = NamespaceWork.Run(networkNamespace, () =>
        {
            var made = new Socket(ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            made.Bind(new IPEndPoint(ipv6 ? IPAddress.IPv6Any : IPAddress.Any, port));
            made.Listen();
            return made;
        });
        _ = AnswerAsync(listener);
        return listener;
    }

    /// <summary>Connects and returns what the server of <see cref="Serve"/> says.</summary>
    public static async Task<string> AskAsync(string networkNamespace, string address, int port)
    {
        using Socket socket = await ConnectAsync(networkNamespace, address, port);
        using var patience = new CancellationTokenSource(s_patience);
        byte[] answer = new byte[100];
        int length = await socket.ReceiveAsync(answer, patience.Token);
        return System.Text.Encoding.ASCII.GetString(answer, 0, length);
    }

    public static async Task<Socket> ConnectAsync(string networkNamespace, string address, int port)
    {
        var to = IPAddress.Parse(address);
        Socket socket = NamespaceWork.Run(networkNamespace, () => new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        using var patience = new CancellationTokenSource(s_patience);
        await socket.ConnectAsync(to, port, patience.Token);
        return socket;
    }

    private static async Task AnswerAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                using Socket client = await listener.AcceptAsync();
                await client.SendAsync(System.Text.Encoding.ASCII.GetBytes(((IPEndPoint)client.RemoteEndPoint!).Address.ToString()));
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
