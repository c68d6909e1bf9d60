using System.Net;
using System.Net.Sockets;
using System.Text;
using Dataplane.Gateway.CommandLine;

namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>A backend of the demo: a small web server (where nginx is not installed) and a UDP echo, over both families.</summary>
internal sealed class DemoServerCommand : Command
{
    private static readonly Option s_name = new("--name", "NAME", "what it calls itself in its answers") { IsRequired = true };
    private static readonly Option s_http = new("--http", "PORT", "TCP port of the web server");
    private static readonly Option s_echo = new("--echo", "PORT", "UDP port of the echo") { IsRequired = true };

    public override string Name => "demo-server";

    public override string Summary => "a backend of the demo";

    public override bool IsHidden => true;

    public override IReadOnlyList<Option> Options => [s_name, s_http, s_echo];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        using var ended = new CancellationTokenSource();
        using var signals = new Commands.Signals(System.Runtime.InteropServices.PosixSignal.SIGINT);
        string name = arguments.Get(s_name)!;
        var serving = new List<Task>();
        if (arguments.GetNumber(s_http, 1, 65535) is long http)
        {
            serving.Add(ServeHttpAsync(name, (int)http, ended.Token));
        }

        serving.Add(EchoAsync((int)arguments.GetNumber(s_echo, 1, 65535)!.Value, ended.Token));
        await output.Out.WriteLineAsync("ready").ConfigureAwait(false);
        await output.Out.FlushAsync().ConfigureAwait(false);

        // Ends with the demo, also when that is killed: its end of the pipe is closed then.
        Task input = Commands.StandardInput.EndAsync();
        Task first = await Task.WhenAny([input, .. serving]).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
        if (first != input)
        {
            await first.ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static async Task ServeHttpAsync(string name, int port, CancellationToken ended)
    {
        using var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        listener.Listen(512);
        byte[] answer = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nX-Backend: {name}\r\nContent-Length: {name.Length + 1}\r\nConnection: close\r\n\r\n{name}\n");
        while (!ended.IsCancellationRequested)
        {
            Socket connection = await listener.AcceptAsync(ended).ConfigureAwait(false);
            _ = AnswerAsync(connection, answer, ended);
        }
    }

    private static async Task AnswerAsync(Socket connection, byte[] answer, CancellationToken ended)
    {
        try
        {
            using (connection)
            {
                byte[] request = new byte[4096];
                int length = 0;
                while (request.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0)
                {
                    int read = length < request.Length ? await connection.ReceiveAsync(request.AsMemory(length), ended).ConfigureAwait(false) : 0;
                    if (read == 0)
                    {
                        return;
                    }

                    length += read;
                }

                await connection.SendAsync(answer, ended).ConfigureAwait(false);
                connection.Shutdown(SocketShutdown.Send);

                // Waits for the client's end: closing with bytes unread would reset the connection.
                await connection.ReceiveAsync(request, ended).ConfigureAwait(false);
            }
        }
        catch (Exception broken) when (broken is SocketException or OperationCanceledException)
        {
            // The client went away, or the demo ends: the client counts it.
        }
    }

    private static async Task EchoAsync(int port, CancellationToken ended)
    {
        using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true };
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        byte[] buffer = new byte[2048];
        var any = new IPEndPoint(IPAddress.IPv6Any, 0);
        while (!ended.IsCancellationRequested)
        {
            SocketReceiveFromResult received = await socket.ReceiveFromAsync(buffer, any, ended).ConfigureAwait(false);
            try
            {
                await socket.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint, ended).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                // The sender's port is closed again; the next datagram has another sender.
            }
        }
    }
}
