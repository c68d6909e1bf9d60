namespace Dataplane.Mesh.Tests.Sources;

/// <summary>A test with a real etcd: skipped, with the reason, where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EtcdFactAttribute : FactAttribute
{
    public EtcdFactAttribute() => Skip = EtcdServer.Program is null ? "needs etcd (Debian: etcd-server)" : null;
}
