using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Open vSwitch in a namespace, with files of its own: the system's is not touched.</summary>
internal sealed class OpenVSwitch : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpovs-");
    private readonly string _home;
    private ChildProgram? _database;
    private ChildProgram? _switch;

    private OpenVSwitch(string home) => _home = home;

    private string Socket => "unix:" + Path.Combine(_folder.FullName, "db.sock");

    private string[] Environment => ["env", $"OVS_RUNDIR={_folder.FullName}", $"OVS_LOGDIR={_folder.FullName}", $"OVS_DBDIR={_folder.FullName}"];

    public static async Task<OpenVSwitch> StartAsync(string home)
    {
        var ovs = new OpenVSwitch(home);
        string file = Path.Combine(ovs._folder.FullName, "conf.db");
        (await ChildProgram.RunAsync(home, ["ovsdb-tool", "create", file, "/usr/share/openvswitch/vswitch.ovsschema"])).MustSucceed();
        ovs._database = ChildProgram.Start(home, [.. ovs.Environment, "ovsdb-server", file, $"--remote=p{ovs.Socket}", "--no-chdir"]);
        while (!File.Exists(Path.Combine(ovs._folder.FullName, "db.sock")))
        {
            await Task.Delay(20);
        }

        await ovs.CallAsync("--no-wait", "init");
        ovs._switch = ChildProgram.Start(home, [.. ovs.Environment, "ovs-vswitchd", ovs.Socket, "--no-chdir"]);
        return ovs;
    }

    public async Task CallAsync(params string[] words) =>
        (await ChildProgram.RunAsync(_home, [.. Environment, "ovs-vsctl", $"--db={Socket}", "--timeout=30", .. words])).MustSucceed();

    public async ValueTask DisposeAsync()
    {
        foreach (ChildProgram? program in new[] { _switch, _database })
        {
            if (program is not null)
            {
                await program.DisposeAsync();
            }
        }

        _folder.Delete(recursive: true);
    }
}
