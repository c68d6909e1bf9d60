using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Native.Abi;

namespace Dataplane.Native.Tests.Abi;

/// <summary>Writes the C program that proves our copies of the kernel's structures and constants.</summary>
internal static class AbiLayout
{
    private const BindingFlags InstanceFields = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private const BindingFlags StaticFields = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>Every structure that the assembly declares for the kernel; inline arrays are proven as part of the structure that holds them.</summary>
    public static IEnumerable<Type> Structures => AbiTypes.Where(t => t.IsValueType && !t.IsEnum && t.GetCustomAttribute<InlineArrayAttribute>() is null);

    /// <summary>Every class that holds constants of the kernel.</summary>
    public static IEnumerable<Type> ConstantClasses =>
        AbiTypes.Where(t => t.IsClass && t.IsAbstract && t.IsSealed && t.GetFields(StaticFields).Any(f => f.IsLiteral));

    private static IEnumerable<Type> AbiTypes => typeof(KernelTypeAttribute).Assembly.GetTypes()
        .Where(t => t.Namespace == typeof(KernelTypeAttribute).Namespace && t != typeof(Libc))
        .Where(t => !t.IsNested && !t.IsDefined(typeof(CompilerGeneratedAttribute)));

    public static string WriteProgram()
    {
        var headers = new List<string> { "stddef.h" };
        var body = new StringBuilder();
        foreach (Type type in Structures)
        {
            var attribute = type.GetCustomAttribute<KernelTypeAttribute>()!;
            headers.Add(attribute.Header);
            WriteStructure(body, type, attribute.Name ?? $"struct {type.Name}", attribute.IsBeginning ? ">=" : "==");
        }

        foreach (Type type in ConstantClasses)
        {
            headers.AddRange(type.GetCustomAttribute<KernelConstantsAttribute>()!.Headers);
            WriteConstants(body, type);
        }

        return "#define _GNU_SOURCE\n" + string.Concat(headers.Distinct().Select(h => $"#include <{h}>\n")) + body + "int main(void) { return 0; }\n";
    }

    /// <summary>Offset and size in bytes of a field, found by filling it and looking which bytes of the structure changed.</summary>
    public static (int Offset, int SizeBytes) Locate(Type type, FieldInfo field)
    {
        object filled = Filled(field.FieldType);
        object boxed = RuntimeHelpers.GetUninitializedObject(type);
        field.SetValue(boxed, filled);
        byte[] bytes = BytesOf(boxed);
        int first = Array.IndexOf(bytes, (byte)0xFF);
        return (first, Array.LastIndexOf(bytes, (byte)0xFF) - first + 1);
    }

    public static int SizeOf(Type type) => BytesOf(RuntimeHelpers.GetUninitializedObject(type)).Length;

    private static void WriteStructure(StringBuilder body, Type type, string name, string relation)
    {
        body.AppendLine($"_Static_assert(sizeof({name}) {relation} {SizeOf(type)}, \"size of {type.Name}\");");
        // Private fields only fill up to the size of a union; the size is proven above.
        foreach (FieldInfo field in type.GetFields(InstanceFields).Where(f => f.IsPublic))
        {
            string path = field.GetCustomAttribute<KernelFieldAttribute>()?.Path ?? field.Name;
            (int offset, int size) = Locate(type, field);
            body.AppendLine($"_Static_assert(offsetof({name}, {path}) == {offset}, \"offset of {type.Name}.{path}\");");
            body.AppendLine($"_Static_assert(sizeof((({name} *)0)->{path}) == {size}, \"size of {type.Name}.{path}\");");
        }
    }

    private static void WriteConstants(StringBuilder body, Type type)
    {
        foreach (FieldInfo field in type.GetFields(StaticFields).Where(f => f.IsLiteral))
        {
            bool optional = field.IsDefined(typeof(SinceKernelAttribute));
            if (optional)
                body.AppendLine($"#ifdef {field.Name}");
            body.AppendLine($"_Static_assert((long long)({field.Name}) == {field.GetRawConstantValue()}LL, \"value of {type.Name}.{field.Name}\");");
            if (optional)
                body.AppendLine("#endif");
        }
    }

    private static object Filled(Type type) => typeof(AbiLayout).GetMethod(nameof(FilledOf), StaticFields)!.MakeGenericMethod(type).Invoke(null, null)!;

    private static byte[] BytesOf(object boxed) =>
        (byte[])typeof(AbiLayout).GetMethod(nameof(BytesOfValue), StaticFields)!.MakeGenericMethod(boxed.GetType()).Invoke(null, [boxed])!;

    private static T FilledOf<T>()
        where T : struct
    {
        T value = default;
        MemoryMarshal.AsBytes(new Span<T>(ref value)).Fill(0xFF);
        return value;
    }

    private static byte[] BytesOfValue<T>(T value)
        where T : struct => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();
}
